-- Tokens in force that as good as never expire.
select 'token ' || id || ' (' || name || ')' as "example!", count(*) over () as "count!"
from api_tokens
where tenant_id = $1 and revoked_at is null and (not isfinite(expires_at) or expires_at > created_at + interval '10 years')
order by id
limit $2
