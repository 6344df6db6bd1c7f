-- Takes the idempotency key for this request, or does nothing when it is taken.
insert into idempotency_keys (tenant_id, actor, key, request_hash) values ($1, $2, $3, $4)
on conflict (tenant_id, actor, key) do nothing
