-- Gives the next accounts in the order of their ids, as files write them; their secrets sealed.
select a.id, account_fields(a) || jsonb_build_object('lifecycle_state', a.lifecycle_state) as "fields!", a.password_encrypted, a.access_token_encrypted
from accounts a
where a.tenant_id = $1 and a.id > $2
order by a.id
limit $3
