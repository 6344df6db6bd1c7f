-- Gives, for each row of a file that is stored already, the stored proxy as files write it. One host and port can have any
-- number of user names, so that each is looked for with its user name, or as the one without. Keys are taken apart first
-- (offset 0): row-level security finds a key by a value, and by no expression.
select k.ordinal as "ordinal!", (p.stored).id as "id!", proxy_fields(p.stored) as "fields!", (p.stored).password_encrypted,
    null::bytea as access_token_encrypted
from (
    select ordinal, key ->> 0 as scheme, key ->> 1 as host, (key ->> 2)::integer as port, key ->> 3 as username
    from (select ordinal, key::jsonb as key from unnest($2::text[]) with ordinality as f (key, ordinal)) f
    offset 0
) k
cross join lateral (
    select n as stored from proxies n
    where n.tenant_id = $1 and n.scheme = k.scheme and n.host = k.host and n.port = k.port and n.username = k.username
    union all
    select n from proxies n
    where n.tenant_id = $1 and n.scheme = k.scheme and n.host = k.host and n.port = k.port and n.username is null
        and k.username is null
) p
