-- Ends all sessions of a person in the tenant.
update sessions set revoked_at = now() where tenant_id = $1 and operator_id = $2 and revoked_at is null
