-- Accounts that warm up and are not in the queue with their step, and accounts in the queue that do not warm up.
select 'account ' || coalesce(a.id, q.account_id) || ': '
        || case when a.lifecycle_state = 'warming_up' then 'at step ' || a.warmup_step else 'not warming up' end || '; '
        || case when q.state <> 'idle' then 'the queue has it at step ' || q.step else 'the queue does not have it' end
        as "example!",
    count(*) over () as "count!"
from (select id, lifecycle_state, warmup_step from accounts where tenant_id = $1) a
full join (select account_id, state, step from work_queue where tenant_id = $1) q on q.account_id = a.id
where case when a.lifecycle_state = 'warming_up' then q.state is null or q.state = 'idle' or q.step <> a.warmup_step
    else q.state <> 'idle' end
order by coalesce(a.id, q.account_id)
limit $2
