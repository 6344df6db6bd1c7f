-- Ends one session of a person.
update sessions set revoked_at = now()
where tenant_id = $1 and operator_id = $2 and encode(substring(token_hash for 8), 'hex') = $3
    and revoked_at is null and expires_at > now()
