-- Accounts whose state is not the one that their history ends with, or which have no history although it is kept.
select 'account ' || a.id || ': is ' || a.lifecycle_state || '; '
        || coalesce('its history ends with ' || h.to_state, 'it has no history') as "example!",
    count(*) over () as "count!"
from accounts a
left join lateral (
    select s.to_state from account_state_history s
    where s.tenant_id = $1 and s.account_id = a.id
    order by s.created_at desc
    limit 1
) h on true
where a.tenant_id = $1 and h.to_state is distinct from a.lifecycle_state
    and (h.to_state is not null
        or a.state_changed_at >= coalesce((select r.kept_from::timestamp at time zone 'utc' from retention r), '-infinity'))
order by a.id
limit $2
