-- One account in review, with what brought it there; nothing where it is not in review.
select a.id as "id!: muster_wire::AccountId", a.state_changed_at as "since!", h.event as "event!",
    h.transition_reason as "reason?"
from accounts a
cross join lateral (
    select h.event, h.transition_reason
    from account_state_history h
    where h.tenant_id = $1 and h.account_id = a.id and h.created_at >= a.state_changed_at
        and h.to_state = 'human_review'
    order by h.created_at desc limit 1
) h
where a.tenant_id = $1 and a.id = $2 and a.lifecycle_state = 'human_review'
