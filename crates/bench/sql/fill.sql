-- Gives a tenant a part of what a user's has, with every trigger firing: models, pools of p_items pictures and texts of each type and
-- model, of which each tenth is there already, accounts and the proxies that hold three each. The first p_warming accounts have begun
-- their warm-up, and the others have a proxy; where there are none such, all are just imported. The parts, which are numbered from 0,
-- share nothing that is locked, so that several are filled at once.
create procedure bench.fill(
    p_tenant bigint, p_models integer, p_items integer, p_accounts integer, p_warming integer, p_part integer, p_parts integer)
    language plpgsql as
$$
declare
    v_models bigint[];
    v_proxies bigint[];
begin
    perform set_config('muster.tenant_id', p_tenant::text, true), set_config('muster.triggered_by', 'system', true);
    with made as (
        insert into models (tenant_id, name)
        select p_tenant, 'model ' || n from generate_series(1 + p_part, p_models, p_parts) n
        returning id
    )
    select array_agg(id order by id) into v_models from made;
    insert into model_content (tenant_id, model_id, content_type, image_url, text_content, is_template)
    select p_tenant, m, t, format('https://cdn.example.org/%s/%s/%s.jpg', m, t, n - (n % 10 = 0)::integer),
        'A picture of {model} in {city}, number ' || n, true
    from unnest(v_models) m, unnest('{pfp,highlight,story,post}'::text[]) t, generate_series(1, p_items) n;
    insert into text_pools (tenant_id, model_id, content_type, text_content, is_template)
    select p_tenant, m, t, format('All about {username} of {city}: %s %s', t, n - (n % 10 = 0)::integer), true
    from unnest(v_models) m, unnest('{bio,highlight,story,post}'::text[]) t, generate_series(1, p_items) n;
    with made as (
        insert into proxies (tenant_id, scheme, host, port, username, provider, location, monthly_cost)
        select p_tenant, 'http', format('p%s-%s.example.net', p_part, n), 8080, 'u' || n, 'a provider', 'London', 3
        from generate_series(1, ((p_accounts + p_parts - 1) / p_parts + 2) / 3) n
        returning id
    )
    select array_agg(id order by id) into v_proxies from made;
    insert into accounts (
        tenant_id, username, email, model_id, authorisation_basis, authorisation_reference, location_city, bio)
    select p_tenant, format('user_%s_%s', p_tenant, n), format('user%s@example.org', n),
        v_models[1 + n / p_parts % cardinality(v_models)], 'owned', n, 'London', 'What account ' || n || ' says of itself'
    from generate_series(p_part, p_accounts - 1, p_parts) n;
    if p_warming = 0 then
        return;
    end if;
    update accounts
    set lifecycle_state = 'proxy_assigned', proxy_id = v_proxies[1 + authorisation_reference::integer / p_parts / 3],
        proxy_assigned_at = now()
    where tenant_id = p_tenant and model_id = any (v_models);
    update accounts set lifecycle_state = 'warming_up', warmup_started_at = now()
    where tenant_id = p_tenant and model_id = any (v_models) and authorisation_reference::integer < p_warming;
end
$$;
