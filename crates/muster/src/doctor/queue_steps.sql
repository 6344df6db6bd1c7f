-- Accounts that warm up and are not in the queue, and accounts in the queue that do not warm up.
select 'account ' || coalesce(a.id, q.account_id) || ': '
        || case when a.lifecycle_state = 'warming_up' then 'warming up' else 'not warming up' end || '; '
        || case when q.state <> 'idle' then 'the queue has it at step ' || q.step else 'the queue does not have it' end
        as "example!",
    count(*) over () as "count!"
from (select id, lifecycle_state from accounts where tenant_id = $1) a
full join (select account_id, state, step from work_queue where tenant_id = $1) q on q.account_id = a.id
where (a.lifecycle_state is not distinct from 'warming_up') <> (coalesce(q.state, 'idle') <> 'idle')
order by coalesce(a.id, q.account_id)
limit $2
