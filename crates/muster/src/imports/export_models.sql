-- Gives the next models in the order of their ids, as files write them; their secrets sealed.
select m.id, model_fields(m) as "fields!", null::bytea as password_encrypted, null::bytea as access_token_encrypted
from models m
where m.tenant_id = $1 and m.id > $2
order by m.id
limit $3
