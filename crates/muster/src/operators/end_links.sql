-- Makes the other links of a member useless.
update password_links set used_at = now() where tenant_id = $1 and operator_id = $2 and used_at is null
