-- Lets a token end after so many hours, or when it would have ended if that is earlier.
update api_tokens set expires_at = least(expires_at, now() + make_interval(hours => $3)) where tenant_id = $1 and id = $2
