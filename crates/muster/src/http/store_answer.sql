-- Keeps the answer of the request that took this idempotency key.
update idempotency_keys set status = $4, answer = $5 where tenant_id = $1 and actor = $2 and key = $3
