-- Uses a password link, once: nothing is changed where it was used before or its time is over.
update password_links set used_at = now()
where tenant_id = $1 and token_hash = $2 and used_at is null and expires_at > now()
