-- Stores the hash of a password link's token.
insert into password_links (tenant_id, token_hash, operator_id, created_by, expires_at) values ($1, $2, $3, $4, $5)
