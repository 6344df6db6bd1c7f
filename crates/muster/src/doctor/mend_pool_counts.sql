-- Notes what the counters of pools lack, or have too much of, as changes to be folded in.
insert into pool_count_changes (tenant_id, model_id, pool, used_on, items, uses, completed)
select b.tenant_id, b.model_id, b.pool, b.used_on, sum(b.items), sum(b.uses), sum(b.completed)
from (
    select t.id as tenant_id, p.model_id, p.pool, p.used_on, p.items, p.uses, p.completed
    from tenants t cross join lateral pools_there(t.id) p
    union all
    select t.id, p.model_id, p.pool, p.used_on, -p.items, -p.uses, -p.completed
    from tenants t cross join lateral counted_pools(t.id) p
) b
group by 1, 2, 3, 4
having (sum(b.items), sum(b.uses), sum(b.completed)) <> (0, 0, 0)
