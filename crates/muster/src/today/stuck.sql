-- How many accounts have been for so many days in each state that should lead on, and since when the first.
select lifecycle_state as "state!: muster_wire::State", count(*) as "accounts!", min(state_changed_at) as "since!"
from accounts
where tenant_id = $1 and lifecycle_state in ('imported', 'proxy_assigned', 'warming_up', 'ready')
    and state_changed_at < now() - make_interval(days => $2)
group by lifecycle_state
order by array_position('{warming_up,proxy_assigned,ready,imported}'::text[], lifecycle_state)
