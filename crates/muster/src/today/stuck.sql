-- How many accounts have been for so many days in each state that should lead on, no further than $3, and since when the first.
select s.state as "state!: muster_wire::State", s.accounts as "accounts!", s.since as "since!"
from (
    select 'warming_up' as state, count(*) as accounts, min(a.state_changed_at) as since
    from (
        select state_changed_at from accounts
        where tenant_id = $1 and lifecycle_state = 'warming_up' and state_changed_at < now() - make_interval(days => $2)
        order by state_changed_at
        limit $3
    ) a
    union all
    select 'proxy_assigned', count(*), min(a.state_changed_at)
    from (
        select state_changed_at from accounts
        where tenant_id = $1 and lifecycle_state = 'proxy_assigned' and state_changed_at < now() - make_interval(days => $2)
        order by state_changed_at
        limit $3
    ) a
    union all
    select 'ready', count(*), min(a.state_changed_at)
    from (
        select state_changed_at from accounts
        where tenant_id = $1 and lifecycle_state = 'ready' and state_changed_at < now() - make_interval(days => $2)
        order by state_changed_at
        limit $3
    ) a
    union all
    -- In the order of their ids, as they came: among the first so many.
    select 'imported', count(*), min(a.state_changed_at)
    from (
        select state_changed_at from accounts where tenant_id = $1 and lifecycle_state = 'imported' order by id limit $3
    ) a
    where a.state_changed_at < now() - make_interval(days => $2)
) s
where s.accounts > 0
