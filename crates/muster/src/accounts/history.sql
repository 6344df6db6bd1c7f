-- The changes of state of each of these accounts, newest first: those before a time (in microseconds since 1970), of some
-- events or of all, and so many of each account at most.
select h.account_id as "account_id!: muster_wire::AccountId", h.created_at as "at!", h.event as "event!",
    h.from_state as "from: muster_wire::State", h.to_state as "to!: muster_wire::State",
    h.transition_reason as "reason?", h.triggered_by as "triggered_by!",
    h.user_id as "operator_id: muster_wire::OperatorId", o.name as "operator?",
    h.bot_id as "bot_id: muster_wire::BotId", b.name as "bot?", h.request_id, h.metadata
from unnest($2::bigint[]) w (id)
cross join lateral (
    select h.account_id, h.created_at, h.event, h.from_state, h.to_state, h.transition_reason, h.triggered_by,
        h.user_id, h.bot_id, h.request_id, h.metadata
    from account_state_history h
    where h.tenant_id = $1 and h.account_id = w.id
        and ($3::bigint is null or h.created_at < timestamptz 'epoch' + $3 * interval '1 microsecond')
        and ($4::text[] is null or h.event = any ($4))
        -- So that no partition of the months to come is looked into.
        and h.created_at < now() + interval '1 day'
    order by h.created_at desc limit $5
) h
left join operators o on o.id = h.user_id
left join bots b on b.tenant_id = $1 and b.id = h.bot_id
order by h.account_id, h.created_at desc
