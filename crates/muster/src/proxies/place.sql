-- Gives each of these accounts ($2) its proxy ($3), all locked; one that was imported has its proxy assigned by that.
update accounts a
set proxy_id = g.proxy_id, proxy_assigned_at = now(), updated_at = now(),
    lifecycle_state = case when a.lifecycle_state = 'imported' then 'proxy_assigned' else a.lifecycle_state end,
    state_changed_at = case when a.lifecycle_state = 'imported' then now() else a.state_changed_at end
from unnest($2::bigint[], $3::bigint[]) as g (id, proxy_id)
where a.tenant_id = $1 and a.id = g.id
