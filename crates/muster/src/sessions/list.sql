-- Gives the sessions of a person in the tenant that are good now, the newest first.
select encode(substring(token_hash for 8), 'hex') as "id!", created_at, last_seen_at, expires_at, address, user_agent,
    token_hash = $3 as "current!"
from sessions
where tenant_id = $1 and operator_id = $2 and revoked_at is null and expires_at > now()
order by created_at desc, token_hash
limit $4
