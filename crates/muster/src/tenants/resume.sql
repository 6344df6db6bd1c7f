-- Lets everything in the tenant go on.
update tenants set paused_at = null, pause_reason = null where id = $1
