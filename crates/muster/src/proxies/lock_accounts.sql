-- Locks these accounts, in the order of their ids, and says where they are now.
select a.model_id, a.proxy_id
from accounts a
where a.tenant_id = $1 and a.id = any ($2)
order by a.id
for no key update
