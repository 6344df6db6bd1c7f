-- Changes the accounts that a staged import changes, or takes that back ($3), where they still hold what they did.
update accounts a
set email = case when d.v ? 'email' then d.v ->> 'email' else a.email end,
    status = case when d.v ? 'status' then d.v ->> 'status' else a.status end,
    model_id = case when d.v ? 'model' then (select m.id from models m where m.tenant_id = $1 and m.name = d.v ->> 'model') else a.model_id end,
    assigned_at = case when d.v ? 'model' then now() else a.assigned_at end,
    authorisation_basis = case when d.v ? 'authorisation_basis' then d.v ->> 'authorisation_basis' else a.authorisation_basis end,
    authorisation_reference = case when d.v ? 'authorisation_reference' then d.v ->> 'authorisation_reference' else a.authorisation_reference end,
    authorisation_expires_at = case when d.v ? 'authorisation_expires_at' then (d.v ->> 'authorisation_expires_at')::timestamptz else a.authorisation_expires_at end,
    bio = case when d.v ? 'bio' then d.v ->> 'bio' else a.bio end,
    profile_picture_url = case when d.v ? 'profile_picture_url' then d.v ->> 'profile_picture_url' else a.profile_picture_url end,
    location_city = case when d.v ? 'location_city' then d.v ->> 'location_city' else a.location_city end,
    location_campus = case when d.v ? 'location_campus' then d.v ->> 'location_campus' else a.location_campus end,
    location_niche = case when d.v ? 'location_niche' then d.v ->> 'location_niche' else a.location_niche end,
    birthday = case when d.v ? 'birthday' then (d.v ->> 'birthday')::date else a.birthday end,
    device_info = case when d.v ? 'device_info' then nullif(d.v -> 'device_info', 'null') else a.device_info end,
    content_type = case when d.v ? 'content_type' then d.v ->> 'content_type' else a.content_type end,
    password_encrypted = case
        when r.password_encrypted is null then a.password_encrypted
        when $3 then r.before_password_encrypted
        else r.password_encrypted end,
    access_token_encrypted = case
        when r.access_token_encrypted is null then a.access_token_encrypted
        when $3 then r.before_access_token_encrypted
        else r.access_token_encrypted end,
    updated_at = now()
from import_rows r, lateral (select case when $3 then r.before else r.data end as v) d
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'changed' and a.tenant_id = $1 and a.id = r.target_id
    and fields_hold(account_fields(a), case when $3 then r.data else r.before end)
