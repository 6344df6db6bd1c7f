-- Revokes a token; one that was revoked before stays as it was.
update api_tokens set revoked_at = now() where tenant_id = $1 and id = $2 and revoked_at is null
