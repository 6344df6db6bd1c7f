-- Sets the counters of models to the numbers of their accounts.
update models m
set total_accounts = n.total, active_accounts = n.active
from (
    select m2.tenant_id, m2.id, count(a.id) as total, count(a.id) filter (where a.lifecycle_state = 'active') as active
    from models m2 left join accounts a on a.tenant_id = m2.tenant_id and a.model_id = m2.id
    group by m2.tenant_id, m2.id
) n
where m.tenant_id = n.tenant_id and m.id = n.id and (m.total_accounts, m.active_accounts) is distinct from (n.total, n.active)
