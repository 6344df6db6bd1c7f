-- Why each of these accounts is in review, since the time ($3) at which it came there.
select w.id as "id!: muster_wire::AccountId", h.event as "event!", h.transition_reason as "reason?"
from unnest($2::bigint[], $3::timestamptz[]) w (id, since)
cross join lateral (
    select h.event, h.transition_reason
    from account_state_history h
    where h.tenant_id = $1 and h.account_id = w.id and h.created_at >= w.since
        -- Written by the same transaction: one partition is looked into, or two.
        and h.created_at < w.since + interval '1 hour' and h.to_state = 'human_review'
    order by h.created_at desc limit 1
) h
