-- What files say of a thing, as JSON in one fixed form: imports compare with it, undo compares with it, exports write it.
-- Secrets are never among it.

create or replace function utc_text(at timestamptz) returns text language sql stable parallel safe as
$$ select to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

create or replace function account_fields(a accounts) returns jsonb language sql stable as
$$
    select jsonb_build_object(
        'username', a.username, 'email', a.email, 'status', a.status,
        'model', (select m.name from models m where m.tenant_id = a.tenant_id and m.id = a.model_id),
        'authorisation_basis', a.authorisation_basis, 'authorisation_reference', a.authorisation_reference,
        'authorisation_expires_at', utc_text(a.authorisation_expires_at),
        'bio', a.bio, 'profile_picture_url', a.profile_picture_url, 'location_city', a.location_city,
        'location_campus', a.location_campus, 'location_niche', a.location_niche, 'birthday', a.birthday::text,
        'device_info', a.device_info, 'content_type', a.content_type)
$$;

create or replace function proxy_fields(p proxies) returns jsonb language sql stable as
$$
    select jsonb_build_object(
        'scheme', p.scheme, 'host', p.host, 'port', p.port, 'username', p.username, 'exit_ip', host(p.exit_ip),
        'provider', p.provider, 'location', p.location, 'monthly_cost', p.monthly_cost::text, 'status', p.status,
        'model', (select m.name from models m where m.tenant_id = p.tenant_id and m.id = p.assigned_model_id),
        'max_accounts', p.max_accounts)
$$;

create or replace function model_fields(m models) returns jsonb language sql stable as
$$
    select jsonb_build_object(
        'name', m.name, 'description', m.description, 'status', m.status, 'unfollow_ratio', m.unfollow_ratio,
        'daily_follow_limit', m.daily_follow_limit, 'posting_schedule', m.posting_schedule,
        'people_steps', to_jsonb(m.people_steps))
$$;

create or replace function content_fields(c model_content) returns jsonb language sql stable as
$$
    select jsonb_build_object(
        'model', (select m.name from models m where m.tenant_id = c.tenant_id and m.id = c.model_id),
        'content_type', c.content_type, 'image_url', c.image_url, 'text_content', c.text_content,
        'is_template', c.is_template, 'order_priority', c.order_priority)
$$;

create or replace function text_fields(t text_pools) returns jsonb language sql stable as
$$
    select jsonb_build_object(
        'model', (select m.name from models m where m.tenant_id = t.tenant_id and m.id = t.model_id),
        'content_type', t.content_type, 'text_content', t.text_content, 'is_template', t.is_template)
$$;

-- Whether the fields still hold what is expected of them; fields that nothing is expected of may hold anything.
create or replace function fields_hold(p_fields jsonb, p_expected jsonb) returns boolean language sql immutable parallel safe as
$$ select not exists (select from jsonb_each(p_expected) e where p_fields -> e.key is distinct from e.value) $$;
