-- The accounts in review that match a filter, those that have waited longest first, after a time (in microseconds since
-- 1970) and id; each with what brought it there. Those that a batch is about to move are left out: they are decided.
select w.id as "id!: muster_wire::AccountId", w.state_changed_at as "since!", h.event as "event!",
    h.transition_reason as "reason?"
from (
    select m.id, m.state_changed_at
    from matching_accounts($1, $2, null) m
    where ($3::bigint is null
            or (m.state_changed_at, m.id) > (timestamptz 'epoch' + $3 * interval '1 microsecond', $4::bigint))
        and not exists (
            select from batch_accounts b where b.tenant_id = $1 and b.account_id = m.id and b.refusal is null)
    order by m.state_changed_at, m.id
    limit $5
) w
cross join lateral (
    select h.event, h.transition_reason
    from account_state_history h
    where h.tenant_id = $1 and h.account_id = w.id and h.created_at >= w.state_changed_at
        and h.to_state = 'human_review'
    order by h.created_at desc limit 1
) h
order by w.state_changed_at, w.id
