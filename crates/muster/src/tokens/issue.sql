-- Stores the hash of a new token.
insert into api_tokens (
    tenant_id, kind, name, hash, hint, bot_id, operator_id, role, requests_per_minute, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
returning id
