-- Gives, for each row of a file that is stored already, the stored proxy as files write it.
select distinct on (k.ordinal) k.ordinal as "ordinal!", p.id, proxy_fields(p) as "fields!", p.password_encrypted, null::bytea as access_token_encrypted
from unnest($2::jsonb[]) with ordinality as k (data, ordinal)
join proxies p on p.tenant_id = $1 and p.scheme = k.data ->> 'scheme' and p.host = k.data ->> 'host'
    and p.port = (k.data ->> 'port')::integer and p.username is not distinct from k.data ->> 'username'
order by k.ordinal, p.id
