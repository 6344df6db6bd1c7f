-- Stores the new accounts of a staged import; each begins as imported. The name of a model is taken out first:
-- row-level security finds a key by a value, and by no expression.
insert into accounts (
    tenant_id, id, username, email, password_encrypted, access_token_encrypted, status, model_id, assigned_at,
    authorisation_basis, authorisation_reference, authorisation_expires_at, bio, profile_picture_url, location_city,
    location_campus, location_niche, birthday, device_info, content_type)
overriding system value
select $1, r.target_id, r.data ->> 'username', r.data ->> 'email', r.password_encrypted, r.access_token_encrypted,
    r.data ->> 'status', m.id, case when m.id is not null then now() end, r.data ->> 'authorisation_basis',
    r.data ->> 'authorisation_reference', (r.data ->> 'authorisation_expires_at')::timestamptz, r.data ->> 'bio',
    r.data ->> 'profile_picture_url', r.data ->> 'location_city', r.data ->> 'location_campus',
    r.data ->> 'location_niche', (r.data ->> 'birthday')::date, nullif(r.data -> 'device_info', 'null'),
    r.data ->> 'content_type'
from import_rows r
cross join lateral (select r.data ->> 'model' as model offset 0) n
left join models m on m.tenant_id = $1 and m.name = n.model
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new' and (n.model is null or m.id is not null)
order by r.line
