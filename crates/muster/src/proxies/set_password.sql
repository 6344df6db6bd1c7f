-- Stores a proxy's sealed password, or forgets it.
update proxies set password_encrypted = $3, updated_at = clock_timestamp() where tenant_id = $1 and id = $2
