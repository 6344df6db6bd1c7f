-- Notes what the counters of accounts lack, or have too much of, as changes to be folded in.
insert into account_count_changes (tenant_id, model_id, lifecycle_state, status, change)
select tenant_id, model_id, lifecycle_state, status, sum(change)
from (
    select tenant_id, model_id, lifecycle_state, status, count(*) as change from accounts group by 1, 2, 3, 4
    union all
    select tenant_id, model_id, lifecycle_state, status, -accounts from account_counts
    union all
    select tenant_id, model_id, lifecycle_state, status, -change from account_count_changes
) b
group by 1, 2, 3, 4
having sum(change) <> 0
