-- Gives the next content in the order of their ids, as files write them; their secrets sealed.
select c.id, content_fields(c) as "fields!", null::bytea as password_encrypted, null::bytea as access_token_encrypted
from model_content c
where c.tenant_id = $1 and c.id > $2
order by c.id
limit $3
