-- The attempts at steps of each of these accounts, newest first: those before a fencing token, and so many of each account
-- at most.
select l.account_id as "account_id!: muster_wire::AccountId", l.lease as "lease!", l.step_number as "step!",
    l.step_name as "name!: muster_wire::Step", l.status as "status!: muster_wire::accounts::AttemptStatus",
    l.started_at as "started_at!", l.completed_at, l.bot_id as "bot_id: muster_wire::BotId",
    l.operator_id as "operator_id: muster_wire::OperatorId", l.bot_session_id,
    case when l.content_id is not null or l.text_id is not null then
        jsonb_strip_nulls(jsonb_build_object('content', l.content_id, 'text', l.text_id)) end as content_used,
    l.error_message as "error", l.retry_count as "retry_count!", l.execution_time_ms,
    l.instagram_response as "response"
from unnest($2::bigint[]) w (id)
cross join lateral (
    select l.account_id, l.lease, l.step_number, l.step_name, l.status, l.started_at, l.completed_at, l.bot_id,
        l.operator_id, l.bot_session_id, l.content_id, l.text_id, l.error_message, l.retry_count, l.execution_time_ms,
        l.instagram_response
    from warmup_step_logs l
    where l.tenant_id = $1 and l.account_id = w.id and ($3::bigint is null or l.lease < $3)
        -- So that no partition of the months to come is looked into.
        and l.started_at < now() + interval '1 day'
    order by l.lease desc limit $4
) l
order by l.account_id, l.lease desc
