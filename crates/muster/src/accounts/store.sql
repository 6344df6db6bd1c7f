-- Stores all fields of an account that people can set.
update accounts
set username = $3, email = $4, password_encrypted = $5, access_token_encrypted = $6, status = $7, model_id = $8,
    assigned_at = case
        when $8::bigint is null then null when model_id is distinct from $8 then statement_timestamp() else assigned_at end,
    authorisation_basis = $9, authorisation_reference = $10, authorisation_expires_at = $11, bio = $12,
    profile_picture_url = $13, location_city = $14, location_campus = $15, location_niche = $16, birthday = $17,
    device_info = $18, content_type = $19, updated_at = statement_timestamp()
where tenant_id = $1 and id = $2
