-- Stores the hash of a new session's token.
insert into sessions (tenant_id, token_hash, operator_id, expires_at, address, user_agent) values ($1, $2, $3, $4, $5, $6)
