-- Gives the accounts that use a proxy.
select a.id as "id: muster_wire::AccountId", a.username, a.lifecycle_state as "state: muster_wire::State"
from accounts a
where a.tenant_id = $1 and a.proxy_id = $2
order by a.id
