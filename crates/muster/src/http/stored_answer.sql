-- Gives what was answered when this idempotency key was first used.
select request_hash, answer from idempotency_keys where tenant_id = $1 and actor = $2 and key = $3
