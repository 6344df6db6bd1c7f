-- Models whose counters are not the numbers of their accounts.
select 'model ' || m.id || ': counters say ' || m.total_accounts || ' accounts, ' || m.active_accounts || ' active; there are '
        || n.total || ', ' || n.active as "example!",
    count(*) over () as "count!"
from models m
cross join lateral (
    select count(*) as total, count(*) filter (where a.lifecycle_state = 'active') as active
    from accounts a where a.tenant_id = $1 and a.model_id = m.id
) n
where m.tenant_id = $1 and (m.total_accounts, m.active_accounts) is distinct from (n.total, n.active)
order by m.id
limit $2
