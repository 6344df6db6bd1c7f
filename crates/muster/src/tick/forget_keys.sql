-- Deletes the idempotency keys that are older than a day.
delete from idempotency_keys where tenant_id = $1 and created_at < now() - interval '24 hours'
