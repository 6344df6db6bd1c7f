-- Gives the next texts in the order of their ids, as files write them; their secrets sealed.
select t.id, text_fields(t) as "fields!", null::bytea as password_encrypted, null::bytea as access_token_encrypted
from text_pools t
where t.tenant_id = $1 and t.id > $2
order by t.id
limit $3
