-- Lets everything in the tenant stand still, for a reason; since when does not change while it does.
update tenants set paused_at = coalesce(paused_at, now()), pause_reason = $2 where id = $1
