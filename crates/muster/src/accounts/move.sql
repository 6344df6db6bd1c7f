-- Moves accounts by an event, each to where the lifecycle says, and makes their fields true to the state they reach.
-- Accounts for which the lifecycle has no such transition stay as they are.
update accounts a
set lifecycle_state = t.to_state, state_changed_at = statement_timestamp(), updated_at = statement_timestamp(),
    proxy_id = case when t.to_state not in ('imported', 'cleanup') then a.proxy_id end,
    proxy_assigned_at = case when t.to_state not in ('imported', 'cleanup') then a.proxy_assigned_at end,
    warmup_started_at = case t.event
        when 'start_warmup' then statement_timestamp() when 'restore' then null else a.warmup_started_at end,
    warmup_completed_at = case t.event when 'restore' then null else a.warmup_completed_at end,
    requires_human_review = t.event = 'flag',
    last_error_message = case when t.event not in ('approve', 'resume', 'restore') then a.last_error_message end,
    last_error_at = case when t.event not in ('approve', 'resume', 'restore') then a.last_error_at end
from lifecycle_transitions t
where a.tenant_id = $1 and a.id = any ($2) and t.event = $3 and t.from_state = a.lifecycle_state
    and (t.warmup_complete is null or t.warmup_complete = (a.warmup_completed_at is not null))
