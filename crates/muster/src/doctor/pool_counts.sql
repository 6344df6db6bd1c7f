-- Pools whose counters, with the changes not yet folded in, are not what is in them, by when it was last used.
select concat_ws(', ', 'model ' || k.model_id, k.pool, case when k.used_on is null then 'never used'
            when isfinite(k.used_on) then 'used last on ' || k.used_on else 'not used lately' end)
        || ': counters are off by ' || k.items || ' items, ' || k.uses || ' uses and ' || k.completed
        || ' completed' as "example!",
    count(*) over () as "count!"
from (
    select model_id, pool, used_on, sum(items) as items, sum(uses) as uses, sum(completed) as completed
    from (
        select model_id, pool, used_on, items, uses, completed from counted_pools($1)
        union all
        select model_id, pool, used_on, -items, -uses, -completed from pools_there($1)
    ) b
    group by 1, 2, 3
) k
where (k.items, k.uses, k.completed) <> (0, 0, 0)
order by k.model_id, k.pool, k.used_on
limit $2
