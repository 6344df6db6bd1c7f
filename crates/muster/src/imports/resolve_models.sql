-- Gives, for each row of a file that is stored already, the stored model as files write it.
select k.ordinal as "ordinal!", m.id, model_fields(m) as "fields!", null::bytea as password_encrypted, null::bytea as access_token_encrypted
from unnest($2::text[]) with ordinality as k (key, ordinal)
join models m on m.tenant_id = $1 and m.name = k.key
