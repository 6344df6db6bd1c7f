-- Kinds of accounts whose counters, with the changes not yet folded in, are not their numbers.
with counted as (
    select model_id, lifecycle_state, status, sum(accounts) as accounts from counted_accounts($1) group by 1, 2, 3
), there as (
    select model_id, lifecycle_state, status, count(*) as accounts from accounts where tenant_id = $1 group by 1, 2, 3
)
select concat_ws(', ', 'model ' || coalesce(k.model_id::text, 'none'), k.lifecycle_state, k.status) || ': the counter says '
        || k.counted || ' accounts; there are ' || k.there as "example!",
    count(*) over () as "count!"
from (
    select model_id, lifecycle_state, status, sum(counted) as counted, sum(there) as there
    from (
        select model_id, lifecycle_state, status, accounts as counted, 0 as there from counted
        union all
        select model_id, lifecycle_state, status, 0, accounts from there
    ) b
    group by 1, 2, 3
) k
where k.counted <> k.there
order by k.model_id, k.lifecycle_state, k.status
limit $2
