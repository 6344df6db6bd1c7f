-- Gives, for each row of a file that is stored already, the stored account as files write it.
select distinct on (k.ordinal) k.ordinal as "ordinal!", a.id, account_fields(a) as "fields!", a.password_encrypted, a.access_token_encrypted
from unnest($2::jsonb[]) with ordinality as k (data, ordinal)
join accounts a on a.tenant_id = $1 and a.username = k.data ->> 'username'
order by k.ordinal, a.id
