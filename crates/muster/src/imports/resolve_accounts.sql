-- Gives, for each row of a file that is stored already, the stored account as files write it.
select k.ordinal as "ordinal!", a.id, account_fields(a) as "fields!", a.password_encrypted, a.access_token_encrypted
from unnest($2::text[]) with ordinality as k (key, ordinal)
join accounts a on a.tenant_id = $1 and a.username = k.key
