-- Pauses a bot for a reason, or lets it go on.
update bots set status = $3, pause_reason = $4 where tenant_id = $1 and id = $2
