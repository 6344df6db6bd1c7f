-- The schema that the migrations and always/ make, to be read. Written by a test: UPDATE_SNAPSHOTS=1.

CREATE TABLE public.accounts (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    username text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL,
    password_encrypted bytea,
    access_token_encrypted bytea,
    status text DEFAULT 'active'::text NOT NULL,
    model_id bigint,
    assigned_at timestamp with time zone,
    lifecycle_state text DEFAULT 'imported'::text NOT NULL,
    state_changed_at timestamp with time zone DEFAULT now() NOT NULL,
    warmup_started_at timestamp with time zone,
    warmup_completed_at timestamp with time zone,
    proxy_id bigint,
    proxy_assigned_at timestamp with time zone,
    authorisation_basis text,
    authorisation_reference text,
    authorisation_expires_at timestamp with time zone,
    requires_human_review boolean DEFAULT false NOT NULL,
    last_error_message text,
    last_error_at timestamp with time zone,
    bio text,
    profile_picture_url text,
    location_city text,
    location_campus text,
    location_niche text,
    birthday date,
    device_info jsonb,
    content_type text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT accounts_authorisation_basis_check CHECK ((authorisation_basis = ANY (ARRAY['owned'::text, 'client_consent'::text, 'employee'::text]))),
    CONSTRAINT accounts_authorisation_reference_check CHECK ((length(authorisation_reference) <= 500)),
    CONSTRAINT accounts_check CHECK (((authorisation_basis IS NOT NULL) OR ((authorisation_reference IS NULL) AND (authorisation_expires_at IS NULL)))),
    CONSTRAINT accounts_content_type_check CHECK ((length(content_type) <= 50)),
    CONSTRAINT accounts_email_check CHECK (((length(email) >= 1) AND (length(email) <= 255))),
    CONSTRAINT accounts_lifecycle_state_check CHECK ((lifecycle_state = ANY (ARRAY['imported'::text, 'proxy_assigned'::text, 'warming_up'::text, 'human_review'::text, 'ready'::text, 'active'::text, 'cleanup'::text]))),
    CONSTRAINT accounts_location_campus_check CHECK ((length(location_campus) <= 100)),
    CONSTRAINT accounts_location_city_check CHECK ((length(location_city) <= 100)),
    CONSTRAINT accounts_location_niche_check CHECK ((length(location_niche) <= 100)),
    CONSTRAINT accounts_profile_picture_url CHECK ((profile_picture_url ~ '^https?://[^/?#:[:space:]][^[:space:]]*$'::text)),
    CONSTRAINT accounts_profile_picture_url_check CHECK ((length(profile_picture_url) <= 500)),
    CONSTRAINT accounts_status_check CHECK ((status = ANY (ARRAY['active'::text, 'banned'::text, 'suspended'::text, 'inactive'::text]))),
    CONSTRAINT accounts_username_check CHECK (((username = lower(username)) AND ((length(username) >= 1) AND (length(username) <= 100)))),
    CONSTRAINT check_state_has_proxy CHECK (((proxy_id IS NULL) = (lifecycle_state = ANY (ARRAY['imported'::text, 'cleanup'::text])))),
    CONSTRAINT check_state_has_step CHECK (((lifecycle_state <> 'warming_up'::text) OR ((warmup_started_at IS NOT NULL) AND (warmup_completed_at IS NULL)))),
    CONSTRAINT check_state_is_authorised CHECK (((lifecycle_state = ANY (ARRAY['imported'::text, 'cleanup'::text])) OR (authorisation_basis IS NOT NULL))),
    CONSTRAINT check_state_is_warm CHECK (((lifecycle_state <> ALL (ARRAY['ready'::text, 'active'::text])) OR (warmup_completed_at IS NOT NULL)))
)
WITH (fillfactor='85');
ALTER TABLE ONLY public.accounts ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.accounts FORCE ROW LEVEL SECURITY;

CREATE FUNCTION public.account_fields(a public.accounts) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    select jsonb_build_object(
        'username', a.username, 'email', a.email, 'status', a.status,
        'model', (select m.name from models m where m.tenant_id = a.tenant_id and m.id = a.model_id),
        'authorisation_basis', a.authorisation_basis, 'authorisation_reference', a.authorisation_reference,
        'authorisation_expires_at', utc_text(a.authorisation_expires_at),
        'bio', a.bio, 'profile_picture_url', a.profile_picture_url, 'location_city', a.location_city,
        'location_campus', a.location_campus, 'location_niche', a.location_niche, 'birthday', a.birthday::text,
        'device_info', a.device_info, 'content_type', a.content_type)
$$;

CREATE FUNCTION public.account_hold(p_status text, p_basis text, p_expires_at timestamp with time zone, p_model bigint, p_model_status text, p_proxy_status text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    select case
        when p_status <> 'active' then 'account_not_active'
        when p_basis is null or p_expires_at <= now() then 'authorisation_lapsed'
        when p_model is null then 'no_model'
        when p_model_status <> 'active' then 'model_not_active'
        when p_proxy_status <> 'active' then 'proxy_not_active'
    end
$$;

CREATE FUNCTION public.account_matches(a public.accounts, p jsonb) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    select (p ->> 'state' is null or a.lifecycle_state = p ->> 'state')
        and (p ->> 'status' is null or a.status = p ->> 'status')
        and (p ->> 'model_id' is null or a.model_id = (p ->> 'model_id')::bigint)
        and (p ->> 'no_model' is null or a.model_id is null)
        and (p ->> 'proxy_id' is null or a.proxy_id = (p ->> 'proxy_id')::bigint)
        and (p ->> 'no_proxy' is null or a.proxy_id is null)
        and (p ->> 'review' is null or a.requires_human_review = (p ->> 'review')::boolean)
        -- Not starts_with, which no index may serve under row-level security. The character is the last there is.
        and (p ->> 'username' is null
            or (a.username >= p ->> 'username' and a.username < (p ->> 'username') || chr(1114111)))
        and (p ->> 'stuck_longer_secs' is null
            or a.state_changed_at < now() - make_interval(secs => (p ->> 'stuck_longer_secs')::float8))
        and (p ->> 'stuck_shorter_secs' is null
            or a.state_changed_at > now() - make_interval(secs => (p ->> 'stuck_shorter_secs')::float8))
        and (p ->> 'unauthorised' is null or a.authorisation_basis is null)
        and (p ->> 'lapsed' is null or a.authorisation_expires_at <= now())
        and (p ->> 'lapses_within_secs' is null or (a.authorisation_expires_at > now()
            and a.authorisation_expires_at < now() + make_interval(secs => (p ->> 'lapses_within_secs')::float8)))
        and (p ->> 'lasts_secs' is null or (a.authorisation_basis is not null
            and coalesce(a.authorisation_expires_at, 'infinity')
                > now() + make_interval(secs => (p ->> 'lasts_secs')::float8)))
$$;

CREATE FUNCTION public.accounts_deleted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from old_rows where lifecycle_state <> 'imported') then
        raise exception 'an account that has entered the lifecycle is retired, never deleted' using errcode = 'MU001';
    end if;

    insert into account_count_changes (tenant_id, model_id, lifecycle_state, status, change)
    select tenant_id, model_id, lifecycle_state, status, -count(*) from old_rows group by 1, 2, 3, 4;

    perform count_accounts(c.tenant_id, c.models, c.totals, c.actives)
    from (
        select tenant_id, array_agg(model_id) as models, array_agg(-total) as totals, array_agg(0::bigint) as actives
        from (select tenant_id, model_id, count(*) as total from old_rows where model_id is not null group by 1, 2) g
        group by tenant_id
    ) c;
    return null;
end
$$;

CREATE FUNCTION public.accounts_inserted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from new_rows where lifecycle_state <> 'imported') then
        raise exception 'an account begins as imported' using errcode = 'MU001';
    end if;

    -- Who acts is asked once a statement, not once a row.
    insert into account_state_history (
        tenant_id, account_id, event, from_state, to_state, transition_reason, triggered_by, bot_id, user_id, request_id,
        model_id)
    select tenant_id, id, 'import', null, 'imported', (select muster_reason()), (select muster_triggered_by()),
        (select muster_bot()), (select muster_operator()), (select muster_request()), model_id
    from new_rows;

    insert into authorisations (tenant_id, account_id, basis, reference, expires_at, operator_id, request_id)
    select tenant_id, id, authorisation_basis, authorisation_reference, authorisation_expires_at,
        (select muster_operator()), (select muster_request())
    from new_rows where authorisation_basis is not null;

    insert into account_count_changes (tenant_id, model_id, lifecycle_state, status, change)
    select tenant_id, model_id, lifecycle_state, status, count(*) from new_rows group by 1, 2, 3, 4;

    perform count_accounts(c.tenant_id, c.models, c.totals, c.actives)
    from (
        select tenant_id, array_agg(model_id) as models, array_agg(total) as totals, array_agg(0::bigint) as actives
        from (select tenant_id, model_id, count(*) as total from new_rows where model_id is not null group by 1, 2) g
        group by tenant_id
    ) c;
    return null;
end
$$;

CREATE FUNCTION public.accounts_updated() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_nestloop TO 'off'
    SET enable_hashjoin TO 'on'
    AS $$
declare
    bad record;
    moved boolean;
    proxied boolean;
    modelled boolean;
    held boolean;
    authorised boolean;
    warmed boolean;
begin
    -- One pass says which of the parts below have anything to do; the step reports, which change none of this, end here.
    select bool_or(n.lifecycle_state <> o.lifecycle_state),
        bool_or(n.proxy_id is distinct from o.proxy_id),
        bool_or(n.model_id is distinct from o.model_id),
        bool_or((n.status, n.model_id, n.proxy_id, n.authorisation_basis, n.authorisation_expires_at)
            is distinct from (o.status, o.model_id, o.proxy_id, o.authorisation_basis, o.authorisation_expires_at)),
        bool_or((n.authorisation_basis, n.authorisation_reference, n.authorisation_expires_at)
            is distinct from (o.authorisation_basis, o.authorisation_reference, o.authorisation_expires_at)),
        bool_or((n.warmup_completed_at is null) <> (o.warmup_completed_at is null))
    into moved, proxied, modelled, held, authorised, warmed
    from new_rows n join old_rows o using (tenant_id, id);

    -- Or else approve could be had by declaring the warm-up complete.
    if warmed then
        select n.id into bad
        from new_rows n join old_rows o using (tenant_id, id)
        where (n.warmup_completed_at is null) <> (o.warmup_completed_at is null)
            and (o.lifecycle_state, n.lifecycle_state, n.warmup_completed_at is null) not in (
                ('warming_up', 'human_review', false), ('cleanup', 'imported', true))
        limit 1;
        if found then
            raise exception 'account %: a warm-up is completed by its fifth step, and forgotten when restored', bad.id
                using errcode = 'MU001';
        end if;
    end if;

    if moved then
        select n.id, o.lifecycle_state as from_state, n.lifecycle_state as to_state into bad
        from new_rows n join old_rows o using (tenant_id, id)
        where n.lifecycle_state <> o.lifecycle_state
            and not exists (
                select from lifecycle_transitions t
                where t.from_state = o.lifecycle_state and t.to_state = n.lifecycle_state
                    and (t.warmup_complete is null or t.warmup_complete = (n.warmup_completed_at is not null)))
        limit 1;
        if found then
            raise exception 'account %: no transition from % to %', bad.id, bad.from_state, bad.to_state
                using errcode = 'MU001';
        end if;

        perform leave_queue(c.tenant_id, c.ids)
        from (
            select n.tenant_id, array_agg(n.id) as ids
            from new_rows n join old_rows o using (tenant_id, id)
            where o.lifecycle_state = 'warming_up' and n.lifecycle_state <> 'warming_up'
            group by n.tenant_id
        ) c;

        -- A warm-up that begins does so with its first step, one that is resumed with the step it stopped at.
        insert into work_queue as q (tenant_id, account_id, model_id, step, state, hold, authorised_until)
        select n.tenant_id, n.id, n.model_id,
            coalesce((
                select r.step from work_queue r
                where r.tenant_id = n.tenant_id and r.account_id = n.id and o.lifecycle_state = 'human_review'), 1),
            'held', 'no_model', '-infinity'
        from new_rows n join old_rows o using (tenant_id, id)
        where o.lifecycle_state <> 'warming_up' and n.lifecycle_state = 'warming_up'
        order by n.id
        on conflict (tenant_id, account_id) do update
        set step = excluded.step, state = 'held', hold = 'no_model', attempt = 0, run_at = now();

        insert into account_state_history (
            tenant_id, account_id, event, from_state, to_state, transition_reason, triggered_by, bot_id, user_id,
            request_id, model_id, metadata)
        select n.tenant_id, n.id, t.event, o.lifecycle_state, n.lifecycle_state,
            coalesce(muster_reason(), case when t.event = 'escalate' then left(n.last_error_message, 500) end),
            case when c.account_id is null then muster_triggered_by() when c.bot_id is null then 'user' else 'bot' end,
            case when c.account_id is null then muster_bot() else c.bot_id end,
            case when c.account_id is null then muster_operator() else c.operator_id end,
            coalesce(c.request_id, muster_request()), n.model_id,
            jsonb_strip_nulls(jsonb_build_object(
                'warmup_step', case when coalesce(n.warmup_started_at, o.warmup_started_at) is not null then (
                    select q.step from work_queue q where q.tenant_id = n.tenant_id and q.account_id = n.id) end,
                'proxy_id', coalesce(n.proxy_id, o.proxy_id)))
        from new_rows n
        join old_rows o using (tenant_id, id)
        join lifecycle_transitions t on t.from_state = o.lifecycle_state and t.to_state = n.lifecycle_state
            and (t.warmup_complete is null or t.warmup_complete = (n.warmup_completed_at is not null))
        left join muster_acts() c on c.account_id = n.id
        where n.lifecycle_state <> o.lifecycle_state;
    end if;

    if moved or held then
        perform refresh_queue(c.tenant_id, c.ids)
        from (
            select n.tenant_id, array_agg(n.id) as ids
            from new_rows n join old_rows o using (tenant_id, id)
            where n.lifecycle_state = 'warming_up'
                and (n.lifecycle_state, n.status, n.model_id, n.proxy_id, n.authorisation_basis, n.authorisation_expires_at)
                    is distinct from
                    (o.lifecycle_state, o.status, o.model_id, o.proxy_id, o.authorisation_basis, o.authorisation_expires_at)
            group by n.tenant_id
        ) c;
    end if;

    if authorised then
        insert into authorisations (tenant_id, account_id, basis, reference, expires_at, operator_id, request_id)
        select n.tenant_id, n.id, n.authorisation_basis, n.authorisation_reference, n.authorisation_expires_at,
            muster_operator(), muster_request()
        from new_rows n join old_rows o using (tenant_id, id)
        where (n.authorisation_basis, n.authorisation_reference, n.authorisation_expires_at)
            is distinct from (o.authorisation_basis, o.authorisation_reference, o.authorisation_expires_at);
    end if;

    if proxied then
        perform count_proxies(c.tenant_id, c.proxies, c.changes)
        from (
            select tenant_id, array_agg(proxy_id) as proxies, array_agg(change) as changes
            from (
                select tenant_id, proxy_id, sum(change) as change
                from (
                    select n.tenant_id, n.proxy_id, 1 as change from new_rows n join old_rows o using (tenant_id, id)
                    where n.proxy_id is distinct from o.proxy_id
                    union all
                    select o.tenant_id, o.proxy_id, -1 from new_rows n join old_rows o using (tenant_id, id)
                    where n.proxy_id is distinct from o.proxy_id
                ) both_sides
                where proxy_id is not null
                group by 1, 2
            ) g
            group by tenant_id
        ) c;
    end if;

    if moved or held then
        insert into account_count_changes (tenant_id, model_id, lifecycle_state, status, change)
        select tenant_id, model_id, lifecycle_state, status, sum(change)
        from (
            select tenant_id, model_id, lifecycle_state, status, 1 as change from new_rows
            union all
            select tenant_id, model_id, lifecycle_state, status, -1 from old_rows
        ) both_sides
        group by 1, 2, 3, 4 having sum(change) <> 0;
    end if;

    if moved or modelled then
        perform count_accounts(c.tenant_id, c.models, c.totals, c.actives)
        from (
            select tenant_id, array_agg(model_id) as models, array_agg(total) as totals, array_agg(active) as actives
            from (
                select tenant_id, model_id, sum(total) as total, sum(active) as active
                from (
                    select tenant_id, model_id, 1 as total, (lifecycle_state = 'active')::int as active from new_rows
                    union all
                    select tenant_id, model_id, -1, -(lifecycle_state = 'active')::int from old_rows
                ) both_sides
                where model_id is not null
                group by 1, 2 having sum(total) <> 0 or sum(active) <> 0
            ) g
            group by tenant_id
        ) c;
    end if;
    return null;
end
$$;

CREATE FUNCTION public.add_member(p_email text, p_name text, p_role text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
declare
    person bigint;
begin
    insert into operators (email, name) values (lower(p_email), p_name)
    on conflict (email) do update set email = excluded.email
    returning id into person;
    insert into memberships (tenant_id, operator_id, role) values (muster_tenant(), person, p_role)
    on conflict do nothing;
    return case when found then person end;
end
$$;

CREATE FUNCTION public.begin_restore(p_tenant bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
declare
    v_table text;
begin
    foreach v_table in array copied_tables() loop
        execute format('alter table %I disable trigger user', v_table);
    end loop;
    delete from daily_metrics where tenant_id = p_tenant;
    delete from daily_step_metrics where tenant_id = p_tenant;
    delete from daily_failures where tenant_id = p_tenant;
    delete from metric_rollups where tenant_id = p_tenant;
end
$$;

CREATE FUNCTION public.claim_steps(p_tenant bigint, p_bots bigint[], p_operators bigint[], p_maxes integer[], p_steps smallint[], p_model bigint, p_lease_secs integer, p_from timestamp with time zone[]) RETURNS TABLE(claimer integer, account_id bigint, lease bigint, leased_until timestamp with time zone, step smallint, attempt smallint, username text, city text, campus text, niche text, model_id bigint, model text, proxy_id bigint, scheme text, host text, port integer, proxy_username text, content_id bigint, image_url text, content_text text, content_is_template boolean, text_id bigint, text_content text, text_is_template boolean, due_at timestamp with time zone, dead bigint)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
declare
    -- The claimer of each step that may be given.
    v_turns integer[];
    v_given integer := 0;
    v_found integer;
    v_wanted integer;
    v_tids tid[];
    v_accounts bigint[];
    v_models bigint[];
    v_steps smallint[];
    v_lapsed bigint[];
    v_leased integer;
    -- A bound that is coalesced where it is compared would be a filter: under row-level security the planner takes it for a leak.
    v_from constant timestamptz[] := array(
        select coalesce(p_from[s.step], '-infinity') from generate_series(1, 5) s (step) order by s.step);
    -- Entries of the order of what is ready, as PostgreSQL counts them, that were looked at and led to nothing.
    v_ready constant oid := 'work_queue_ready'::regclass;
    v_dead bigint := -pg_stat_get_xact_tuples_returned(v_ready);
begin
    v_turns := array(
        select c.claimer
        from unnest(p_bots, p_operators, p_maxes) with ordinality c (bot, operator, most, claimer)
        cross join lateral generate_series(1, c.most) turn
        where not exists (select from tenants t where t.id = p_tenant and t.paused_at is not null)
            and not exists (select from bots b where b.tenant_id = p_tenant and b.id = c.bot and b.status = 'paused')
        order by turn, c.claimer);
    -- Again while what was found turned out to be held. Bounded, so that no claim takes long.
    for v_pass in 1 .. 100 loop
        v_wanted := cardinality(v_turns) - v_given;
        exit when v_wanted = 0;
        -- The steps are looked through in their order, and no further than to the last that is wanted.
        select count(*), array_agg(c.tid) filter (where c.authorised_until > now()),
            array_agg(c.account_id) filter (where c.authorised_until > now()),
            array_agg(c.model_id) filter (where c.authorised_until > now()),
            array_agg(c.step) filter (where c.authorised_until > now()),
            array_agg(c.account_id) filter (where c.authorised_until <= now())
        into v_found, v_tids, v_accounts, v_models, v_steps, v_lapsed
        from (
            select q.*
            from unnest('{5,4,3,2,1}'::smallint[]) s (step)
            cross join lateral (
                select q.ctid as tid, q.account_id, q.model_id, q.step, q.authorised_until from work_queue q
                where q.tenant_id = p_tenant and q.for_people = (p_bots[1] is null) and q.step = s.step
                    and q.state = 'ready' and q.run_at >= v_from[s.step] and q.run_at <= now()
                    and (p_model is null or q.model_id = p_model)
                order by q.run_at limit v_wanted for no key update skip locked
            ) q
            where cardinality(p_steps) = 0 or s.step = any (p_steps)
            limit v_wanted
        ) c;
        v_dead := v_dead - v_found;
        exit when v_found = 0;
        if v_lapsed is not null then
            update work_queue q set state = 'held', hold = 'authorisation_lapsed'
            where q.tenant_id = p_tenant and q.account_id = any (v_lapsed);
        end if;
        if v_accounts is not null then
            return query
                with wanted as materialized (
                    select u.model_id, u.step, step_content(u.step) as content, step_text(u.step) as text, count(*) as steps,
                        array_agg(u.tid) as tids, array_agg(u.account_id) as accounts
                    from unnest(v_tids, v_accounts, v_models, v_steps) u (tid, account_id, model_id, step)
                    group by u.model_id, u.step
                ), served as (
                    select m.id as model_id, m.name as model, w.step, u.tid, u.account_id,
                        v_turns[v_given + row_number() over ()] as claimer,
                        c.ids[place.content] as content_id,
                        c.urls[place.content] as image_url,
                        c.texts[place.content] as content_text,
                        c.templates[place.content] as content_is_template,
                        t.ids[place.text] as text_id,
                        t.texts[place.text] as text_content,
                        t.templates[place.text] as text_is_template
                    from wanted w
                    join models m on m.tenant_id = p_tenant and m.id = w.model_id
                    cross join lateral (
                        select count(*) as items, array_agg(i.id) as ids, array_agg(i.image_url) as urls,
                            array_agg(i.text_content) as texts, array_agg(i.is_template) as templates
                        from (
                            select l.*, row_number() over u as n, sum(l.used) over u as used_so_far
                            from (
                                select e.*, greatest(e.usage_count,
                                    min(e.usage_count) over () + min(e.usage_count) over () / 10) as used
                                from (
                                    (select id, usage_count, order_priority, image_url, text_content, is_template
                                    from model_content
                                    where tenant_id = p_tenant and model_id = m.id and content_type = w.content
                                    order by usage_count, order_priority, id limit w.steps + 8)
                                    union all
                                    (select id, usage_count, order_priority, image_url, text_content, is_template
                                    from model_content
                                    where tenant_id = p_tenant and model_id = m.id and content_type = 'any'
                                        and w.content is not null
                                    order by usage_count, order_priority, id limit w.steps + 8)
                                ) e
                            ) l
                            window u as (
                                order by l.used, l.order_priority, random() rows between unbounded preceding and current row)
                        ) i
                        where i.n * i.used - i.used_so_far < w.steps
                    ) c
                    cross join lateral (
                        select count(*) as items, array_agg(i.id) as ids, array_agg(i.text_content) as texts,
                            array_agg(i.is_template) as templates
                        from (
                            select l.*, row_number() over u as n, sum(l.used) over u as used_so_far
                            from (
                                select e.*, greatest(e.usage_count,
                                    min(e.usage_count) over () + min(e.usage_count) over () / 10) as used
                                from (
                                    select id, usage_count, text_content, is_template from text_pools
                                    where tenant_id = p_tenant and model_id = m.id and content_type = w.text
                                    order by usage_count, id limit w.steps + 8
                                ) e
                            ) l
                            window u as (order by l.used, random() rows between unbounded preceding and current row)
                        ) i
                        where i.n * i.used - i.used_so_far < w.steps
                    ) t
                    cross join lateral unnest(w.tids, w.accounts) with ordinality u (tid, account_id, nth)
                    cross join lateral (
                        select 1 + (u.nth - 1) % nullif(c.items, 0) as content, 1 + (u.nth - 1) % nullif(t.items, 0) as text
                    ) place
                    -- What a step cannot do without: a picture, or for the biography its text.
                    where case when w.content is not null then c.ids else t.ids end is not null
                ), leased as (
                    update work_queue q
                    set state = 'leased', lease = q.lease + 1, leased_at = now(),
                        leased_until = now() + make_interval(secs => p_lease_secs), bot_id = p_bots[s.claimer],
                        operator_id = p_operators[s.claimer], content_id = s.content_id, text_id = s.text_id
                    from served s
                    where q.ctid = s.tid and q.tenant_id = p_tenant and q.account_id = s.account_id
                    returning q.lease, q.leased_until, q.attempt, q.run_at, s.*
                )
                select l.claimer, l.account_id, l.lease, l.leased_until, l.step, (l.attempt + 1)::smallint, a.username,
                    a.location_city, a.location_campus, a.location_niche, l.model_id, l.model, p.id, p.scheme, p.host,
                    p.port, p.username, l.content_id, l.image_url, l.content_text, l.content_is_template, l.text_id,
                    l.text_content, l.text_is_template, l.run_at, v_dead + pg_stat_get_xact_tuples_returned(v_ready)
                from leased l
                join accounts a on a.tenant_id = p_tenant and a.id = l.account_id
                join proxies p on p.tenant_id = p_tenant and p.id = a.proxy_id;
            get diagnostics v_leased = row_count;
            v_given := v_given + v_leased;
            exit when v_leased < cardinality(v_accounts) and not hold_empty(p_tenant, v_accounts);
        end if;
        exit when v_found < v_wanted;
    end loop;
end
$$;

CREATE TABLE public.model_content (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    model_id bigint NOT NULL,
    content_type text NOT NULL,
    image_url text NOT NULL,
    text_content text,
    is_template boolean DEFAULT false NOT NULL,
    order_priority integer DEFAULT 0 NOT NULL,
    usage_count integer DEFAULT 0 NOT NULL,
    success_count integer DEFAULT 0 NOT NULL,
    success_rate numeric(5,2) GENERATED ALWAYS AS (
CASE
    WHEN (usage_count = 0) THEN (0)::numeric
    ELSE round(((100.0 * (success_count)::numeric) / (usage_count)::numeric), 2)
END) STORED NOT NULL,
    last_used_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text,
    picture bytea GENERATED ALWAYS AS (
CASE
    WHEN (image_url ~ '^/v1/pictures/[0-9a-f]{64}$'::text) THEN decode(SUBSTRING(image_url FROM 14), 'hex'::text)
    ELSE NULL::bytea
END) STORED,
    fingerprint bigint GENERATED ALWAYS AS (hashtextextended(image_url, hashtextextended(content_type, model_id))) STORED NOT NULL,
    duplicate boolean DEFAULT false NOT NULL,
    CONSTRAINT model_content_check CHECK (((success_count >= 0) AND (success_count <= usage_count))),
    CONSTRAINT model_content_content_type_check CHECK ((content_type = ANY (ARRAY['pfp'::text, 'post'::text, 'highlight'::text, 'story'::text, 'any'::text]))),
    CONSTRAINT model_content_created_by_check CHECK ((length(created_by) <= 100)),
    CONSTRAINT model_content_image_url CHECK (((image_url ~ '^https?://[^/?#:[:space:]][^[:space:]]*$'::text) OR (image_url ~ '^/v1/pictures/[0-9a-f]{64}$'::text))),
    CONSTRAINT model_content_image_url_check CHECK (((length(image_url) >= 1) AND (length(image_url) <= 500))),
    CONSTRAINT model_content_text_content_check CHECK ((length(text_content) <= 10000)),
    CONSTRAINT model_content_usage_count_check CHECK ((usage_count >= 0))
);
ALTER TABLE ONLY public.model_content ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.model_content FORCE ROW LEVEL SECURITY;

CREATE FUNCTION public.content_fields(c public.model_content) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    select jsonb_build_object(
        'model', (select m.name from models m where m.tenant_id = c.tenant_id and m.id = c.model_id),
        'content_type', c.content_type, 'image_url', c.image_url, 'text_content', c.text_content,
        'is_template', c.is_template, 'order_priority', c.order_priority)
$$;

CREATE FUNCTION public.copied_tables() RETURNS text[]
    LANGUAGE sql IMMUTABLE
    AS $$
    select array ['models', 'bots', 'proxies', 'accounts', 'work_queue', 'warmup_step_logs', 'account_state_history',
        'authorisations', 'account_notes', 'bot_sessions', 'pictures', 'model_content', 'text_pools', 'content_uses', 'daily_metrics',
        'daily_step_metrics', 'daily_failures', 'metric_rollups', 'audit_log']
$$;

CREATE FUNCTION public.count_accounts(p_tenant bigint, p_models bigint[], p_totals bigint[], p_actives bigint[]) RETURNS void
    LANGUAGE sql
    SET enable_nestloop TO 'on'
    AS $$
    with delta as (
        select d.id, d.total, d.active
        from unnest(p_models, p_totals, p_actives) d (id, total, active)
        where d.id is not null and (d.total <> 0 or d.active <> 0)
    ), locked as materialized (
        select m.id from models m
        where m.tenant_id = p_tenant and m.id in (select id from delta)
        order by m.id for no key update
    )
    update models m
    set total_accounts = m.total_accounts + d.total, active_accounts = m.active_accounts + d.active
    from delta d join locked using (id)
    where m.tenant_id = p_tenant and m.id = d.id
$$;

CREATE FUNCTION public.count_proxies(p_tenant bigint, p_proxies bigint[], p_changes bigint[]) RETURNS void
    LANGUAGE sql
    SET enable_nestloop TO 'on'
    AS $$
    with locked as materialized (
        select p.id, d.change
        from unnest(p_proxies, p_changes) d (id, change) join proxies p on p.tenant_id = p_tenant and p.id = d.id
        where d.change <> 0
        order by p.id
        for no key update of p
    )
    update proxies p set account_count = p.account_count + l.change
    from locked l
    where p.tenant_id = p_tenant and p.id = l.id
$$;

CREATE FUNCTION public.counted_accounts(p_tenant bigint) RETURNS TABLE(model_id bigint, lifecycle_state text, status text, accounts bigint)
    LANGUAGE sql STABLE
    AS $$
    select model_id, lifecycle_state, status, accounts from account_counts where tenant_id = p_tenant
    union all
    select model_id, lifecycle_state, status, change from account_count_changes where tenant_id = p_tenant
$$;

CREATE FUNCTION public.counted_pools(p_tenant bigint) RETURNS TABLE(model_id bigint, pool text, used_on date, items bigint, uses bigint, completed bigint)
    LANGUAGE sql STABLE
    AS $$
    select model_id, pool, recent_day(used_on), items, uses, completed from pool_counts where tenant_id = p_tenant
    union all
    select model_id, pool, recent_day(used_on), items, uses, completed from pool_count_changes where tenant_id = p_tenant
$$;

CREATE FUNCTION public.counted_proxies(p_tenant bigint) RETURNS TABLE(share text, model_id bigint, location text, proxies bigint, failed bigint, inactive bigint, accounts bigint, places bigint, monthly_cost numeric)
    LANGUAGE sql STABLE
    AS $$
    select share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost
    from proxy_counts where tenant_id = p_tenant
    union all
    select share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost
    from proxy_count_changes where tenant_id = p_tenant
$$;

CREATE FUNCTION public.drop_partitions(p_months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
    item record;
    dropped integer := 0;
begin
    if p_months < 3 then
        raise exception 'at least three months are kept' using errcode = '22023';
    end if;
    if not is_backed_up() then
        return 0;
    end if;
    perform pg_advisory_xact_lock(hashtext('muster.make_partitions'));
    for item in select o.partition, o.month from old_partitions(p_months) o loop
        execute format('drop table %I', item.partition);
        insert into retention as r (kept_from) values (item.month + interval '1 month')
        on conflict (only_row) do update set kept_from = greatest(r.kept_from, excluded.kept_from);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

CREATE FUNCTION public.duplicates_there(p_tenant bigint) RETURNS SETOF bigint
    LANGUAGE sql STABLE
    AS $$
    select fingerprint from model_content where tenant_id = p_tenant group by 1 having count(*) > 1 or bool_or(duplicate)
    union all
    select fingerprint from text_pools where tenant_id = p_tenant group by 1 having count(*) > 1 or bool_or(duplicate)
$$;

CREATE FUNCTION public.extend_leases(p_tenant bigint, p_bot bigint, p_operator bigint, p_accounts bigint[], p_leases bigint[], p_lease_secs integer) RETURNS TABLE(account_id bigint, lease bigint, leased_until timestamp with time zone)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
begin
    perform from work_queue q where q.tenant_id = p_tenant and q.account_id = any (p_accounts)
        order by q.account_id for no key update;
    return query
        update work_queue q
        set leased_until = greatest(q.leased_until, now() + make_interval(secs => p_lease_secs))
        from unnest(p_accounts, p_leases) i (account_id, lease)
        where q.tenant_id = p_tenant and q.account_id = i.account_id
            and case when q.state = 'leased' and q.lease = i.lease then q.leased_until > now()
                and q.bot_id is not distinct from p_bot and q.operator_id is not distinct from p_operator end
        returning q.account_id, q.lease, q.leased_until;
end
$$;

CREATE FUNCTION public.failure_cause(p_error text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    select coalesce(
        nullif(btrim(left(regexp_replace(split_part(btrim(p_error), E'\n', 1), '[0-9]+', '#', 'g'), 100)), ''),
        'no reason was given')
$$;

CREATE FUNCTION public.fields_hold(p_fields jsonb, p_expected jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ select not exists (select from jsonb_each(p_expected) e where p_fields -> e.key is distinct from e.value) $$;

CREATE FUNCTION public.fingerprints_changed() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_nestloop TO 'off'
    SET enable_hashjoin TO 'on'
    AS $$
begin
    insert into fingerprint_changes (tenant_id, fingerprints)
    select n.tenant_id, array_agg(n.fingerprint) || array_agg(o.fingerprint)
    from new_rows n join old_rows o using (tenant_id, id)
    where n.fingerprint <> o.fingerprint
    group by n.tenant_id;
    return null;
end
$$;

CREATE FUNCTION public.fingerprints_noted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into fingerprint_changes (tenant_id, fingerprints)
    select tenant_id, array_agg(distinct fingerprint) from noted_rows group by tenant_id;
    return null;
end
$$;

CREATE FUNCTION public.finish_restore(p_tenant bigint) RETURNS void
    LANGUAGE plpgsql
    AS $_$
declare
    v_table text;
    v_sequence text;
begin
    insert into account_counts (tenant_id, model_id, lifecycle_state, status, accounts)
    select tenant_id, model_id, lifecycle_state, status, count(*) from accounts where tenant_id = p_tenant group by 1, 2, 3, 4;
    insert into pool_count_changes (tenant_id, model_id, pool, used_on, items, uses, completed)
    select p_tenant, model_id, pool, used_on, items, uses, completed from pools_there(p_tenant);
    insert into proxy_count_changes (
        tenant_id, share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost)
    select p_tenant, share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost
    from proxies_there(p_tenant);
    insert into fingerprint_changes (tenant_id, fingerprints)
    select p_tenant, array_agg(f) from duplicates_there(p_tenant) f having count(*) > 0;
    foreach v_table in array copied_tables() loop
        execute format('alter table %I enable trigger user', v_table);
        select pg_get_serial_sequence(v_table, a.attname) into v_sequence
        from pg_attribute a where a.attrelid = v_table::regclass and a.attname = 'id' and a.attidentity <> '';
        if found then
            execute format(
                'select setval(%L, greatest(s.last_value, (select max(t.id) from %I t where t.tenant_id = $1))) from %s s',
                v_sequence, v_table, v_sequence)
            using p_tenant;
        end if;
    end loop;
end
$_$;

CREATE FUNCTION public.fold_account_counts(p_tenant bigint) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    v_folded integer;
begin
    with changes as (
        delete from account_count_changes where tenant_id = p_tenant returning model_id, lifecycle_state, status, change
    )
    insert into account_counts as c (tenant_id, model_id, lifecycle_state, status, accounts)
    select p_tenant, model_id, lifecycle_state, status, sum(change)
    from changes group by 2, 3, 4 having sum(change) <> 0
    -- In one order, always: two that fold at once wait for each other and do not deadlock.
    order by 2, 3, 4
    on conflict (tenant_id, model_id, lifecycle_state, status) do update set accounts = c.accounts + excluded.accounts;
    get diagnostics v_folded = row_count;
    return v_folded;
end
$$;

CREATE FUNCTION public.fold_attempt_counts(p_tenant bigint) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    v_folded integer;
begin
    with past as (
        delete from attempt_counts where tenant_id = p_tenant and ended_in < now() - interval '1 hour'
    ), changes as (
        delete from attempt_count_changes where tenant_id = p_tenant
        returning ended_in, bot_id, completed, failed, timed, time_ms
    )
    insert into attempt_counts as c (tenant_id, ended_in, bot_id, completed, failed, timed, time_ms)
    select p_tenant, ended_in, case grouping(bot_id) when 1 then 0 else bot_id end, sum(completed), sum(failed), sum(timed),
        sum(time_ms)
    from changes
    group by grouping sets ((ended_in), (ended_in, bot_id)) having grouping(bot_id) = 1 or bot_id is not null
    order by 2, 3
    on conflict (tenant_id, ended_in, bot_id) do update
    set completed = c.completed + excluded.completed, failed = c.failed + excluded.failed, timed = c.timed + excluded.timed,
        time_ms = c.time_ms + excluded.time_ms;
    get diagnostics v_folded = row_count;
    return v_folded;
end
$$;

CREATE FUNCTION public.fold_content_uses(p_tenant bigint) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    v_pools text[];
    v_items bigint[];
    v_used bigint[];
    v_succeeded bigint[];
    v_at timestamptz[];
begin
    with folded as (
        delete from content_uses where tenant_id = p_tenant returning content_ids, text_ids, succeeded, at
    )
    select array_agg(s.pool), array_agg(s.item_id), array_agg(s.used), array_agg(s.succeeded), array_agg(s.at)
    into v_pools, v_items, v_used, v_succeeded, v_at
    from (
        select x.pool, x.item_id, count(*) as used, count(*) filter (where u.succeeded) as succeeded, max(f.at) as at
        from folded f
        cross join lateral unnest(f.content_ids, f.text_ids, f.succeeded) u (content_id, text_id, succeeded)
        cross join lateral (values ('content', u.content_id), ('text', u.text_id)) x (pool, item_id)
        where x.item_id is not null
        group by 1, 2
    ) s;
    if v_items is null then
        return 0;
    end if;
    perform from model_content c where c.tenant_id = p_tenant and c.id = any (v_items) order by c.id for no key update;
    perform from text_pools t where t.tenant_id = p_tenant and t.id = any (v_items) order by t.id for no key update;
    update model_content c
    set usage_count = c.usage_count + u.used, success_count = c.success_count + u.succeeded,
        last_used_at = greatest(c.last_used_at, u.at)
    from unnest(v_pools, v_items, v_used, v_succeeded, v_at) u (pool, item_id, used, succeeded, at)
    where c.tenant_id = p_tenant and c.id = u.item_id and u.pool = 'content';
    update text_pools t
    set usage_count = t.usage_count + u.used, success_count = t.success_count + u.succeeded,
        last_used_at = greatest(t.last_used_at, u.at)
    from unnest(v_pools, v_items, v_used, v_succeeded, v_at) u (pool, item_id, used, succeeded, at)
    where t.tenant_id = p_tenant and t.id = u.item_id and u.pool = 'text';
    return cardinality(v_items);
end
$$;

CREATE FUNCTION public.fold_pool_counts(p_tenant bigint) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    v_folded integer;
begin
    with changes as (
        delete from pool_count_changes where tenant_id = p_tenant returning model_id, pool, used_on, items, uses, completed
    ), past as (
        delete from pool_counts c
        using (select distinct model_id, pool from changes) k
        where c.tenant_id = p_tenant and c.model_id = k.model_id and c.pool = k.pool and c.used_on <> recent_day(c.used_on)
        returning c.model_id, c.pool, c.used_on, c.items, c.uses, c.completed
    )
    insert into pool_counts as c (tenant_id, model_id, pool, used_on, items, uses, completed)
    select p_tenant, model_id, pool, recent_day(used_on), sum(items), sum(uses), sum(completed)
    from (table changes union all table past) b
    group by 2, 3, 4 having (sum(items), sum(uses), sum(completed)) <> (0, 0, 0)
    order by 2, 3, 4
    on conflict (tenant_id, model_id, pool, used_on) do update
    set items = c.items + excluded.items, uses = c.uses + excluded.uses, completed = c.completed + excluded.completed;
    get diagnostics v_folded = row_count;
    return v_folded;
end
$$;

CREATE FUNCTION public.fold_proxy_counts(p_tenant bigint) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    v_folded integer;
begin
    with changes as (
        delete from proxy_count_changes where tenant_id = p_tenant
        returning share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost
    )
    insert into proxy_counts as c (
        tenant_id, share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost)
    select p_tenant, share, model_id, location, sum(proxies), sum(failed), sum(inactive), sum(accounts), sum(places),
        sum(monthly_cost)
    from changes
    group by 2, 3, 4
    having (sum(proxies), sum(failed), sum(inactive), sum(accounts), sum(places), sum(monthly_cost)) <> (0, 0, 0, 0, 0, 0)
    order by 2, 3, 4
    on conflict (tenant_id, share, model_id, location) do update
    set proxies = c.proxies + excluded.proxies, failed = c.failed + excluded.failed,
        inactive = c.inactive + excluded.inactive, accounts = c.accounts + excluded.accounts,
        places = c.places + excluded.places, monthly_cost = c.monthly_cost + excluded.monthly_cost;
    get diagnostics v_folded = row_count;
    return v_folded;
end
$$;

CREATE FUNCTION public.history_inserted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    bad record;
begin
    select n.account_id, n.event, n.from_state, n.to_state into bad
    from new_rows n
    where not exists (
        select from lifecycle_transitions t
        where t.event = n.event and t.from_state = n.from_state and t.to_state = n.to_state)
        and not (n.event = 'import' and n.from_state is null and n.to_state = 'imported')
    limit 1;
    if found then
        raise exception 'account %: no transition % from % to %', bad.account_id, bad.event, bad.from_state, bad.to_state
            using errcode = 'MU001';
    end if;
    return null;
end
$$;

CREATE FUNCTION public.hold_empty(p_tenant bigint, p_accounts bigint[]) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
declare
    v_models bigint[];
begin
    v_models := array(
        select distinct q.model_id from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready');
    v_models := array(
        select m.id from models m where m.tenant_id = p_tenant and m.id = any (v_models) for update skip locked);
    update work_queue q
    set state = 'held', hold = 'pool_empty'
    where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready' and q.model_id = any (v_models)
        and case when step_content(q.step) is not null
            then not exists (
                select from model_content c
                where c.tenant_id = p_tenant and c.model_id = q.model_id
                    and c.content_type in (step_content(q.step), 'any'))
            else not exists (
                select from text_pools t
                where t.tenant_id = p_tenant and t.model_id = q.model_id and t.content_type = step_text(q.step)) end;
    return not exists (
        select from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready');
end
$$;

CREATE FUNCTION public.is_backed_up() RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
select coalesce(
    (select d.good and coalesce(d.recovery_point > now() - interval '26 hours', false)
     from backup_runs d where d.event = 'drill' order by d.started_at desc limit 1),
    false)
$$;

CREATE FUNCTION public.leave_pictures(p_tenant bigint, p_pictures bytea[]) RETURNS void
    LANGUAGE sql
    SET enable_seqscan TO 'off'
    AS $$
    select from pictures p
    where p.tenant_id = p_tenant and p.sha256 = any (p_pictures)
    order by p.sha256
    for update;
    delete from pictures p
    where p.tenant_id = p_tenant and p.sha256 = any (p_pictures)
        and not exists (select from model_content c where c.tenant_id = p.tenant_id and c.picture = p.sha256);
$$;

CREATE FUNCTION public.leave_queue(p_tenant bigint, p_accounts bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
begin
    update work_queue
    set state = 'idle', hold = null, leased_at = null, leased_until = null, bot_id = null, operator_id = null,
        content_id = null, text_id = null
    where tenant_id = p_tenant and account_id = any (p_accounts) and state <> 'idle';
end
$$;

CREATE FUNCTION public.make_partition(p_parent text, p_month date) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
declare
    child text := p_parent || '_' || to_char(p_month, 'YYYY_MM');
begin
    if to_regclass(child) is not null then
        return false;
    end if;
    execute format(
        'create table %I partition of %I for values from (%L) to (%L)', child, p_parent,
        p_month::timestamp at time zone 'utc', (p_month + interval '1 month')::timestamp at time zone 'utc');
    -- A partition addressed directly shows nothing: no grants, no policy.
    execute format('alter table %I enable row level security', child);
    execute format('alter table %I force row level security', child);
    return true;
end
$$;

CREATE FUNCTION public.make_partitions(months_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
declare
    made integer;
begin
    -- One at a time: two servers may start together.
    perform pg_advisory_xact_lock(hashtext('muster.make_partitions'));
    select count(*) filter (where make_partition(parent, month::date)) into made
    from unnest(array ['account_state_history', 'warmup_step_logs']) parent
    cross join generate_series(
        date_trunc('month', now() at time zone 'utc') - interval '1 month',
        date_trunc('month', now() at time zone 'utc') + make_interval(months => least(months_ahead, 24)),
        interval '1 month') month;
    return made;
end
$$;

CREATE FUNCTION public.mark_duplicates(p_tenant bigint) RETURNS integer
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
    v_fingerprints bigint[];
    v_content bigint[];
    v_texts bigint[];
begin
    with changes as (
        delete from fingerprint_changes where tenant_id = p_tenant returning fingerprints
    )
    select array_agg(distinct fingerprint) into v_fingerprints from changes cross join unnest(fingerprints) fingerprint;
    if v_fingerprints is null then
        return 0;
    end if;
    v_content := array(
        select id from (
            select id, duplicate, count(*) over (partition by fingerprint) > 1 as twice
            from model_content where tenant_id = p_tenant and fingerprint = any (v_fingerprints)
        ) c where duplicate <> twice);
    v_texts := array(
        select id from (
            select id, duplicate, count(*) over (partition by fingerprint) > 1 as twice
            from text_pools where tenant_id = p_tenant and fingerprint = any (v_fingerprints)
        ) t where duplicate <> twice);
    -- In one order, always, as uses are added: two that overlap wait for each other and do not deadlock.
    perform from model_content c where c.tenant_id = p_tenant and c.id = any (v_content) order by c.id for no key update;
    perform from text_pools t where t.tenant_id = p_tenant and t.id = any (v_texts) order by t.id for no key update;
    update model_content set duplicate = not duplicate where tenant_id = p_tenant and id = any (v_content);
    update text_pools set duplicate = not duplicate where tenant_id = p_tenant and id = any (v_texts);
    return cardinality(v_content) + cardinality(v_texts);
end
$$;

CREATE FUNCTION public.may_set_password(p_operator bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    select exists (select from memberships m where m.tenant_id = muster_tenant() and m.operator_id = p_operator)
        and (
            not exists (select from memberships m where m.operator_id = p_operator and m.tenant_id <> muster_tenant())
            or (select o.password_hash is null from operators o where o.id = p_operator)
                and muster_tenant() = (
                    select m.tenant_id from memberships m where m.operator_id = p_operator
                    order by m.created_at, m.tenant_id limit 1)
        )
$$;

CREATE TABLE public.models (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    name text NOT NULL,
    description text,
    status text DEFAULT 'active'::text NOT NULL,
    unfollow_ratio integer DEFAULT 90 NOT NULL,
    daily_follow_limit integer DEFAULT 50 NOT NULL,
    posting_schedule jsonb DEFAULT '{}'::jsonb NOT NULL,
    people_steps smallint[] DEFAULT '{}'::smallint[] NOT NULL,
    total_accounts integer DEFAULT 0 NOT NULL,
    active_accounts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    pause_reason text,
    CONSTRAINT models_active_accounts_check CHECK ((active_accounts >= 0)),
    CONSTRAINT models_daily_follow_limit_check CHECK (((daily_follow_limit >= 1) AND (daily_follow_limit <= 1000))),
    CONSTRAINT models_description_check CHECK ((length(description) <= 10000)),
    CONSTRAINT models_name_check CHECK (((length(name) >= 1) AND (length(name) <= 255))),
    CONSTRAINT models_pause_reason_check CHECK ((length(pause_reason) <= 500)),
    CONSTRAINT models_people_steps_check CHECK ((people_steps <@ '{1,2,3,4,5}'::smallint[])),
    CONSTRAINT models_posting_schedule_check CHECK ((jsonb_typeof(posting_schedule) = 'object'::text)),
    CONSTRAINT models_status_check CHECK ((status = ANY (ARRAY['active'::text, 'inactive'::text, 'paused'::text]))),
    CONSTRAINT models_total_accounts_check CHECK ((total_accounts >= 0)),
    CONSTRAINT models_unfollow_ratio_check CHECK (((unfollow_ratio >= 0) AND (unfollow_ratio <= 100)))
);
ALTER TABLE ONLY public.models ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.models FORCE ROW LEVEL SECURITY;

CREATE FUNCTION public.model_fields(m public.models) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    select jsonb_build_object(
        'name', m.name, 'description', m.description, 'status', m.status, 'unfollow_ratio', m.unfollow_ratio,
        'daily_follow_limit', m.daily_follow_limit, 'posting_schedule', m.posting_schedule,
        'people_steps', to_jsonb(m.people_steps))
$$;

CREATE FUNCTION public.models_updated() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_nestloop TO 'off'
    SET enable_hashjoin TO 'on'
    AS $$
begin
    perform refresh_queue(c.tenant_id, array(
        select a.id from accounts a
        where a.tenant_id = c.tenant_id and a.model_id = any (c.ids) and a.lifecycle_state = 'warming_up'))
    from (
        select n.tenant_id, array_agg(n.id) as ids
        from new_rows n join old_rows o using (tenant_id, id)
        where (n.status, n.people_steps) is distinct from (o.status, o.people_steps)
        group by n.tenant_id
    ) c;
    return null;
end
$$;

CREATE FUNCTION public.muster_act(p_accounts bigint[], p_actors integer[], p_bots bigint[], p_operators bigint[], p_requests uuid[]) RETURNS void
    LANGUAGE sql
    AS $$
    select set_config('muster.act_accounts', p_accounts::text, true), set_config('muster.act_actors', p_actors::text, true),
        set_config('muster.act_bots', p_bots::text, true), set_config('muster.act_operators', p_operators::text, true),
        set_config('muster.act_requests', p_requests::text, true)
$$;

CREATE FUNCTION public.muster_act_as(p_tenant bigint, p_triggered_by text, p_operator bigint, p_bot bigint, p_request uuid) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
begin
    perform set_config('muster.tenant_id', p_tenant::text, true), set_config('muster.triggered_by', p_triggered_by, true),
        set_config('muster.operator_id', coalesce(p_operator::text, ''), true),
        set_config('muster.bot_id', coalesce(p_bot::text, ''), true),
        set_config('muster.request_id', p_request::text, true), set_config('muster.reason', '', true);
    return p_tenant;
end
$$;

CREATE FUNCTION public.muster_acts() RETURNS TABLE(account_id bigint, bot_id bigint, operator_id bigint, request_id uuid)
    LANGUAGE sql STABLE
    AS $$
    select i.account_id, a.bot_id, a.operator_id, a.request_id
    from unnest(
        nullif(current_setting('muster.act_accounts', true), '')::bigint[],
        nullif(current_setting('muster.act_actors', true), '')::integer[]) i (account_id, actor)
    join unnest(
        nullif(current_setting('muster.act_bots', true), '')::bigint[],
        nullif(current_setting('muster.act_operators', true), '')::bigint[],
        nullif(current_setting('muster.act_requests', true), '')::uuid[]) with ordinality
        a (bot_id, operator_id, request_id, actor) using (actor)
$$;

CREATE FUNCTION public.muster_bot() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ select nullif(current_setting('muster.bot_id', true), '')::bigint $$;

CREATE FUNCTION public.muster_operator() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ select nullif(current_setting('muster.operator_id', true), '')::bigint $$;

CREATE FUNCTION public.muster_reason() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ select nullif(current_setting('muster.reason', true), '') $$;

CREATE FUNCTION public.muster_request() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ select nullif(current_setting('muster.request_id', true), '')::uuid $$;

CREATE FUNCTION public.muster_tenant() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ select nullif(current_setting('muster.tenant_id', true), '')::bigint $$;

CREATE FUNCTION public.muster_triggered_by() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ select coalesce(nullif(current_setting('muster.triggered_by', true), ''), 'system') $$;

CREATE FUNCTION public.my_tenants() RETURNS TABLE(tenant_id bigint, name text, role text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    select m.tenant_id, t.name, m.role
    from memberships m
    join tenants t on t.id = m.tenant_id
    join operators o on o.id = m.operator_id
    where m.operator_id = nullif(current_setting('muster.operator_id', true), '')::bigint and o.disabled_at is null
    order by m.tenant_id
$$;

CREATE FUNCTION public.old_partitions(p_months integer) RETURNS TABLE(partition text, month date)
    LANGUAGE sql STABLE
    AS $_$
select c.relname::text, m.month
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
cross join lateral to_date(substring(c.relname from '_([0-9]{4}_[0-9]{2})$'), 'YYYY_MM') m (month)
where i.inhparent in ('account_state_history'::regclass, 'warmup_step_logs'::regclass)
    and m.month < (date_trunc('month', now() at time zone 'utc') - make_interval(months => p_months))::date
order by 2, 1
$_$;

CREATE FUNCTION public.pictures_left() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if tg_op = 'DELETE' then
        perform leave_pictures(l.tenant_id, l.pictures)
        from (
            select tenant_id, array_agg(distinct picture) as pictures
            from old_rows
            where picture is not null
            group by tenant_id) l;
    else
        perform leave_pictures(l.tenant_id, l.pictures)
        from (
            select o.tenant_id, array_agg(distinct o.picture) as pictures
            from old_rows o
            join new_rows n on n.tenant_id = o.tenant_id and n.id = o.id
            where o.picture is not null and o.picture is distinct from n.picture
            group by o.tenant_id) l;
    end if;
    return null;
end
$$;

CREATE FUNCTION public.pool_changed() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_nestloop TO 'off'
    SET enable_hashjoin TO 'on'
    AS $$
begin
    perform refill_queue(c.tenant_id, c.models)
    from (
        select n.tenant_id, array_agg(distinct n.model_id) as models
        from new_rows n join old_rows o using (tenant_id, id)
        where (n.model_id, n.content_type) is distinct from (o.model_id, o.content_type)
        group by n.tenant_id
    ) c;
    return null;
end
$$;

CREATE FUNCTION public.pool_filled() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform refill_queue(c.tenant_id, c.models)
    from (select tenant_id, array_agg(distinct model_id) as models from new_rows group by tenant_id) c;
    return null;
end
$$;

CREATE FUNCTION public.pool_used_on(p_usage_count integer, p_last_used_at timestamp with time zone) RETURNS date
    LANGUAGE sql STABLE
    AS $$ select case when p_usage_count > 0 then recent_day(coalesce((p_last_used_at at time zone 'utc')::date, '-infinity')) end $$;

CREATE FUNCTION public.pools_counted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    v_sign integer := tg_argv[0];
begin
    insert into pool_count_changes (tenant_id, model_id, pool, used_on, items, uses, completed)
    select tenant_id, model_id, content_type, pool_used_on(usage_count, last_used_at), v_sign * count(*),
        v_sign * sum(usage_count), v_sign * sum(success_count)
    from counted_rows
    -- The other texts are taken along with pictures, and are no pool of their own.
    where tg_table_name = 'model_content' or content_type = 'bio'
    group by 1, 2, 3, 4;
    return null;
end
$$;

CREATE FUNCTION public.pools_there(p_tenant bigint) RETURNS TABLE(model_id bigint, pool text, used_on date, items bigint, uses bigint, completed bigint)
    LANGUAGE sql STABLE
    AS $$
    select i.model_id, i.pool, pool_used_on(i.usage_count, i.last_used_at), count(*), sum(i.usage_count), sum(i.success_count)
    from (
        select model_id, content_type as pool, usage_count, success_count, last_used_at
        from model_content where tenant_id = p_tenant
        union all
        select model_id, content_type, usage_count, success_count, last_used_at
        from text_pools where tenant_id = p_tenant and content_type = 'bio'
    ) i
    group by 1, 2, 3
$$;

CREATE FUNCTION public.proxies_counted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    v_sign integer := tg_argv[0];
begin
    insert into proxy_count_changes (
        tenant_id, share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost)
    select tenant_id, case grouping(location) when 1 then 'model' else 'location' end, assigned_model_id, location,
        v_sign * count(*), v_sign * count(*) filter (where status = 'error'),
        v_sign * count(*) filter (where status = 'inactive'), v_sign * sum(account_count),
        v_sign * sum(proxy_places(status, account_count, max_accounts)), v_sign * sum(monthly_cost)
    from counted_rows
    group by grouping sets ((tenant_id, assigned_model_id), (tenant_id, location));
    return null;
end
$$;

CREATE FUNCTION public.proxies_there(p_tenant bigint) RETURNS TABLE(share text, model_id bigint, location text, proxies bigint, failed bigint, inactive bigint, accounts bigint, places bigint, monthly_cost numeric)
    LANGUAGE sql STABLE
    AS $$
    select case grouping(p.location) when 1 then 'model' else 'location' end, p.assigned_model_id, p.location, count(*),
        count(*) filter (where p.status = 'error'), count(*) filter (where p.status = 'inactive'), sum(p.account_count),
        sum(proxy_places(p.status, p.account_count, p.max_accounts)), sum(p.monthly_cost)
    from proxies p where p.tenant_id = p_tenant
    group by grouping sets ((p.assigned_model_id), (p.location))
$$;

CREATE FUNCTION public.proxies_updated() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_nestloop TO 'off'
    SET enable_hashjoin TO 'on'
    AS $$
begin
    perform refresh_queue(c.tenant_id, array(
        select a.id from accounts a where a.tenant_id = c.tenant_id and a.proxy_id = any (c.ids)))
    from (
        select n.tenant_id, array_agg(n.id) as ids
        from new_rows n join old_rows o using (tenant_id, id)
        where n.status is distinct from o.status
        group by n.tenant_id
    ) c;
    return null;
end
$$;

CREATE TABLE public.proxies (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    scheme text NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    username text,
    password_encrypted bytea,
    exit_ip inet,
    provider text NOT NULL,
    location text NOT NULL,
    monthly_cost numeric(10,2) NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    assigned_model_id bigint,
    account_count integer DEFAULT 0 NOT NULL,
    max_accounts integer DEFAULT 3 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    last_tested_at timestamp with time zone,
    last_latency_ms integer,
    last_error_message text,
    CONSTRAINT check_proxy_capacity CHECK (((account_count >= 0) AND (account_count <= max_accounts))),
    CONSTRAINT proxies_host_check CHECK (((length(host) >= 1) AND (length(host) <= 255))),
    CONSTRAINT proxies_last_latency_ms_check CHECK ((last_latency_ms >= 0)),
    CONSTRAINT proxies_location_check CHECK (((length(location) >= 1) AND (length(location) <= 100))),
    CONSTRAINT proxies_max_accounts_check CHECK (((max_accounts >= 1) AND (max_accounts <= 3))),
    CONSTRAINT proxies_monthly_cost_check CHECK ((monthly_cost >= (0)::numeric)),
    CONSTRAINT proxies_port_check CHECK (((port >= 1) AND (port <= 65535))),
    CONSTRAINT proxies_provider_check CHECK (((length(provider) >= 1) AND (length(provider) <= 100))),
    CONSTRAINT proxies_scheme_check CHECK ((scheme = ANY (ARRAY['http'::text, 'socks5'::text]))),
    CONSTRAINT proxies_status_check CHECK ((status = ANY (ARRAY['active'::text, 'inactive'::text, 'error'::text]))),
    CONSTRAINT proxies_username_check CHECK (((length(username) >= 1) AND (length(username) <= 255)))
);
ALTER TABLE ONLY public.proxies ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.proxies FORCE ROW LEVEL SECURITY;

CREATE FUNCTION public.proxy_fields(p public.proxies) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    select jsonb_build_object(
        'scheme', p.scheme, 'host', p.host, 'port', p.port, 'username', p.username, 'exit_ip', host(p.exit_ip),
        'provider', p.provider, 'location', p.location, 'monthly_cost', p.monthly_cost::text, 'status', p.status,
        'model', (select m.name from models m where m.tenant_id = p.tenant_id and m.id = p.assigned_model_id),
        'max_accounts', p.max_accounts)
$$;

CREATE FUNCTION public.proxy_places(p_status text, p_account_count integer, p_max_accounts integer) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$ select case p_status when 'active' then p_max_accounts else p_account_count end $$;

CREATE FUNCTION public.reap_leases(p_tenant bigint, p_max integer, p_attempts_max smallint, p_retry_ms integer, p_from timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
    v_accounts bigint[];
    v_leases bigint[];
    v_count integer;
begin
    v_accounts := array(
        select q.account_id from work_queue q
        where q.tenant_id = p_tenant and q.state = 'leased' and q.leased_until >= p_from and q.leased_until <= now()
        order by q.leased_until limit p_max);
    v_accounts := array(
        select a.id from accounts a where a.tenant_id = p_tenant and a.id = any (v_accounts)
        order by a.id for no key update skip locked);
    select coalesce(array_agg(l.account_id), '{}'), array_agg(l.lease) into v_accounts, v_leases
    from (
        select q.account_id, q.lease from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (v_accounts)
            and case when q.state = 'leased' then q.leased_until <= now() end
        order by q.account_id for no key update skip locked
    ) l;
    v_count := cardinality(v_accounts);
    if v_count > 0 then
        perform settle_steps(p_tenant, false, p_attempts_max, p_retry_ms, null, null, null,
            array_fill(null::integer, array [v_count]), v_accounts, v_leases,
            array_fill('failed'::text, array [v_count]), null, null,
            array_fill('the lease ran out'::text, array [v_count]));
    end if;
    return v_count;
end
$$;

CREATE FUNCTION public.recent_day(p_day date) RETURNS date
    LANGUAGE sql STABLE
    AS $$ select case when p_day < (now() at time zone 'utc')::date - 7 then '-infinity'::date else p_day end $$;

CREATE FUNCTION public.refill_queue(p_tenant bigint, p_models bigint[]) RETURNS void
    LANGUAGE sql
    AS $$
    select from models where tenant_id = p_tenant and id = any (p_models) order by id for key share;
    select refresh_queue(p_tenant, array(
        select account_id from work_queue
        where tenant_id = p_tenant and model_id = any (p_models) and state = 'held' and hold = 'pool_empty'))
$$;

CREATE FUNCTION public.refresh_queue(p_tenant bigint, p_accounts bigint[]) RETURNS void
    LANGUAGE sql
    SET enable_nestloop TO 'on'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_seqscan TO 'off'
    AS $$
    -- In one order, always: two changes that overlap wait for each other and do not deadlock.
    with locked as materialized (
        select q.account_id from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state <> 'idle'
        order by q.account_id for no key update
    ), truth as (
        select a.id, a.model_id, coalesce(m.people_mask, 0) as people_mask,
            case when a.authorisation_basis is null then '-infinity'::timestamptz
                else coalesce(a.authorisation_expires_at, 'infinity') end as authorised_until,
            account_hold(a.status, a.authorisation_basis, a.authorisation_expires_at, a.model_id, m.status, p.status)
                as hold
        from locked l
        join accounts a on a.tenant_id = p_tenant and a.id = l.account_id
        left join lateral (
            select m.status,
                (select coalesce(sum(1 << (s - 1)), 0)::smallint from unnest(m.people_steps) s) as people_mask
            from models m where m.tenant_id = p_tenant and m.id = a.model_id
        ) m on true
        left join proxies p on p.tenant_id = p_tenant and p.id = a.proxy_id
    )
    update work_queue q
    set model_id = t.model_id, people_mask = t.people_mask, authorised_until = t.authorised_until, hold = t.hold,
        state = case when q.state = 'leased' then 'leased' when t.hold is null then 'ready' else 'held' end
    from truth t
    where q.tenant_id = p_tenant and q.account_id = t.id
        and (q.model_id, q.people_mask, q.authorised_until, q.hold)
            is distinct from (t.model_id, t.people_mask, t.authorised_until, t.hold)
$$;

CREATE FUNCTION public.release_leases(p_tenant bigint, p_bot bigint, p_operator bigint, p_accounts bigint[], p_leases bigint[]) RETURNS TABLE(account_id bigint, lease bigint)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
begin
    perform from work_queue q where q.tenant_id = p_tenant and q.account_id = any (p_accounts)
        order by q.account_id for no key update;
    return query
        update work_queue q
        set state = case when q.hold is null then 'ready' else 'held' end, leased_at = null, leased_until = null,
            bot_id = null, operator_id = null, content_id = null, text_id = null
        from unnest(p_accounts, p_leases) i (account_id, lease)
        where q.tenant_id = p_tenant and q.account_id = i.account_id
            and case when q.state = 'leased' and q.lease = i.lease then q.leased_until > now()
                and q.bot_id is not distinct from p_bot and q.operator_id is not distinct from p_operator end
        returning q.account_id, q.lease;
end
$$;

CREATE FUNCTION public.report_steps(p_tenant bigint, p_attempts_max smallint, p_retry_ms integer, p_bots bigint[], p_operators bigint[], p_requests uuid[], p_addresses text[], p_sessions text[], p_reporters integer[], p_accounts bigint[], p_leases bigint[], p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[]) RETURNS TABLE(item integer, verdict text, outcome text)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
declare
    v_settled integer[];
begin
    if cardinality(p_bots) > 1 then
        perform muster_act(p_accounts, p_reporters, p_bots, p_operators, p_requests);
    end if;
    v_settled := settle_steps(p_tenant, true, p_attempts_max, p_retry_ms, p_bots, p_operators, p_sessions, p_reporters,
        p_accounts, p_leases, p_outcomes, p_times_ms, p_responses, p_errors);
    return query select s.item, 'accepted', p_outcomes[s.item] from unnest(v_settled) s (item);

    if cardinality(coalesce(v_settled, '{}')) < cardinality(p_accounts) then
        return query
            with late as materialized (
                select i.item::integer as item, i.account_id, i.lease, i.outcome, i.error, l.status,
                    p_bots[i.reporter] as bot_id, p_operators[i.reporter] as operator_id,
                    p_requests[i.reporter] as request_id, p_addresses[i.reporter] as address
                from unnest(p_reporters, p_accounts, p_leases, p_outcomes, p_errors) with ordinality
                    i (reporter, account_id, lease, outcome, error, item)
                left join warmup_step_logs l on l.tenant_id = p_tenant and l.account_id = i.account_id
                    and l.lease = i.lease and l.completed_at is not null
                    and l.bot_id is not distinct from p_bots[i.reporter]
                    and l.operator_id is not distinct from p_operators[i.reporter]
                where i.item <> all (coalesce(v_settled, '{}'))
            ), recorded as (
                insert into audit_log (
                    tenant_id, triggered_by, operator_id, bot_id, request_id, address, action, object_type, object_id,
                    after)
                select p_tenant, case when l.bot_id is null then 'user' else 'bot' end, l.operator_id, l.bot_id,
                    l.request_id, l.address, 'report.stale', 'account', l.account_id::text,
                    jsonb_strip_nulls(jsonb_build_object('lease', l.account_id || '.' || l.lease,
                        'outcome', l.outcome, 'error', l.error))
                from late l where l.status is null
            )
            select l.item, case when l.status is null then 'stale' else 'duplicate' end, l.status from late l;
    end if;
end
$$;

CREATE FUNCTION public.restore_rows(p_tenant bigint, p_table text, p_rows jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $_$
declare
    v_columns text;
    v_values text;
    v_by text := case p_table when 'account_state_history' then 'created_at' when 'warmup_step_logs' then 'started_at' end;
begin
    if p_table <> all (copied_tables()) then
        raise exception '% is not a table that is copied', p_table;
    end if;
    if v_by is not null then
        perform make_partition(p_table, m.month)
        from (
            select distinct date_trunc('month', (r ->> v_by)::timestamptz at time zone 'utc')::date as month
            from jsonb_array_elements(p_rows) r
        ) m;
    end if;
    select string_agg(quote_ident(attname), ', ' order by attnum),
        string_agg(case attname when 'tenant_id' then '$1' else quote_ident(attname) end, ', ' order by attnum)
    into v_columns, v_values
    from pg_attribute
    where attrelid = p_table::regclass and attnum > 0 and not attisdropped and attgenerated = '';
    execute format(
        'insert into %I (%s) overriding system value select %s from jsonb_populate_recordset(null::%I, $2)', p_table,
        v_columns, v_values, p_table)
    using p_tenant, p_rows;
end
$_$;

CREATE FUNCTION public.roll_up_metrics(p_tenant bigint, p_from date, p_to date, p_keep_days integer) RETURNS integer
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
declare
    -- The commonest causes that are told apart, of a day, a model and a step.
    v_causes_max constant integer := 20;
    -- No transaction that writes what is counted here is longer.
    v_transaction_max constant interval := interval '1 hour';
    v_last timestamptz;
    v_open date[];
    v_now timestamptz;
    v_today date;
    v_days date[];
    v_day date;
    v_begin timestamptz;
    v_end timestamptz;
begin
    insert into metric_rollups (tenant_id) values (p_tenant) on conflict (tenant_id) do nothing;
    select r.counted_until, r.open_days into v_last, v_open from metric_rollups r where r.tenant_id = p_tenant for update;
    v_now := clock_timestamp();
    v_today := (v_now at time zone 'utc')::date;

    if p_from is null then
        v_days := array(
            select d.day from (
                select generate_series(
                    coalesce(
                        ((v_last - v_transaction_max) at time zone 'utc')::date,
                        (select (t.created_at at time zone 'utc')::date from tenants t where t.id = p_tenant)),
                    v_today, interval '1 day')::date as day
                union
                select unnest(v_open)
            ) d
            where d.day > v_today - p_keep_days and d.day <= v_today
            order by 1);
        -- Before attempts are counted: one that ends in between is counted now, and its day once more.
        update metric_rollups r
        set counted_until = greatest(r.counted_until, v_now),
            open_days = array(
                select distinct (q.leased_at at time zone 'utc')::date from work_queue q
                where q.tenant_id = p_tenant and q.state = 'leased' and q.leased_at < v_now - v_transaction_max)
        where r.tenant_id = p_tenant;
    else
        v_days := array(select generate_series(
            greatest(p_from, v_today - p_keep_days + 1, (select r.kept_from from retention r)), least(p_to, v_today), interval '1 day')::date);
    end if;

    foreach v_day in array v_days loop
        v_begin := v_day::timestamp at time zone 'utc';
        v_end := (v_day + 1)::timestamp at time zone 'utc';

        delete from daily_step_metrics where tenant_id = p_tenant and date = v_day;
        insert into daily_step_metrics (
            tenant_id, date, model_id, step_number, attempts, completed, failed, given_to_people, unreported, bot_actions,
            bot_errors, timed, time_ms)
        select p_tenant, v_day, m.id, l.step_number, count(*), count(*) filter (where l.status = 'completed'),
            count(*) filter (where l.status not in ('completed', 'requires_review')),
            count(*) filter (where l.status = 'requires_review'),
            count(*) filter (where l.completed_at is null and l.status not in ('completed', 'requires_review')),
            count(l.bot_id), count(l.bot_id) filter (where l.status <> 'completed'),
            count(l.execution_time_ms) filter (where l.bot_id is not null),
            coalesce(sum(l.execution_time_ms) filter (where l.bot_id is not null), 0)
        from warmup_step_logs l
        left join models m on m.tenant_id = p_tenant and m.id = l.model_id
        where l.tenant_id = p_tenant and l.started_at >= v_begin and l.started_at < v_end
        group by grouping sets ((l.step_number), (l.step_number, m.id))
        having grouping(m.id) = 1 or m.id is not null;

        delete from daily_failures where tenant_id = p_tenant and date = v_day;
        insert into daily_failures (tenant_id, date, model_id, step_number, cause, failures)
        select p_tenant, v_day, f.model_id, f.step_number,
            case when f.place <= v_causes_max then f.cause else 'other causes' end, sum(f.failures)
        from (
            select m.id as model_id, l.step_number, c.cause, count(*) as failures,
                row_number() over (
                    partition by grouping(m.id), m.id, l.step_number order by count(*) desc, c.cause collate "C") as place
            from warmup_step_logs l
            cross join lateral failure_cause(l.error_message) c (cause)
            left join models m on m.tenant_id = p_tenant and m.id = l.model_id
            where l.tenant_id = p_tenant and l.started_at >= v_begin and l.started_at < v_end and l.status <> 'completed'
            group by grouping sets ((l.step_number, c.cause), (l.step_number, c.cause, m.id))
            having grouping(m.id) = 1 or m.id is not null
        ) f
        group by 3, 4, 5;

        with happened as (
            select m.id as model_id, count(distinct h.account_id) filter (where h.event = 'escalate') as failed_accounts,
                count(*) filter (where h.event = 'finish_warmup') as warmups_finished,
                coalesce(sum(extract(epoch from h.created_at - b.at)) filter (where h.event = 'finish_warmup'), 0)::bigint
                    as warmup_secs,
                count(*) filter (where h.event = 'approve') as reviews_approved,
                count(*) filter (where h.event = 'resume') as reviews_resumed,
                count(*) filter (where h.event = 'retire') as reviews_rejected
            from account_state_history h
            left join models m on m.tenant_id = p_tenant and m.id = h.model_id
            left join lateral (
                select max(s.created_at) as at from account_state_history s
                where h.event = 'finish_warmup' and s.tenant_id = p_tenant and s.account_id = h.account_id
                    and s.created_at < h.created_at and s.event = 'start_warmup'
            ) b on true
            where h.tenant_id = p_tenant and h.created_at >= v_begin and h.created_at < v_end
                and (h.event in ('escalate', 'finish_warmup', 'approve', 'resume')
                    or (h.event = 'retire' and h.from_state = 'human_review'))
            group by grouping sets ((), (m.id))
            having grouping(m.id) = 1 or m.id is not null
        ), worked as (
            select s.model_id, sum(s.bot_actions) as bot_actions, sum(s.bot_errors) as bot_errors,
                coalesce(sum(s.time_ms) / nullif(sum(s.timed), 0), 0) as average_time_ms,
                array(
                    select coalesce(round(100.0 * max(o.completed) / max(o.attempts), 2), 0)
                    from generate_series(1, 5) n
                    left join daily_step_metrics o on o.tenant_id = p_tenant and o.date = v_day
                        and o.model_id is not distinct from s.model_id and o.step_number = n
                    group by n order by n) as rates
            from daily_step_metrics s
            where s.tenant_id = p_tenant and s.date = v_day
            group by s.model_id
        ), known as (
            select null::bigint as model_id
            union select model_id from happened
            union select model_id from worked
            union select model_id from daily_metrics where tenant_id = p_tenant and date = v_day
        )
        insert into daily_metrics as d (
            tenant_id, date, model_id, failed_accounts, warmups_finished, warmup_secs, reviews_approved, reviews_resumed,
            reviews_rejected, bot_actions, bot_errors, average_execution_time_ms, step_1_success_rate, step_2_success_rate,
            step_3_success_rate, step_4_success_rate, step_5_success_rate)
        select p_tenant, v_day, k.model_id, coalesce(h.failed_accounts, 0), coalesce(h.warmups_finished, 0),
            coalesce(h.warmup_secs, 0), coalesce(h.reviews_approved, 0), coalesce(h.reviews_resumed, 0),
            coalesce(h.reviews_rejected, 0), coalesce(w.bot_actions, 0), coalesce(w.bot_errors, 0),
            coalesce(w.average_time_ms, 0), coalesce(w.rates[1], 0), coalesce(w.rates[2], 0), coalesce(w.rates[3], 0),
            coalesce(w.rates[4], 0), coalesce(w.rates[5], 0)
        from known k
        left join happened h on h.model_id is not distinct from k.model_id
        left join worked w on w.model_id is not distinct from k.model_id
        order by k.model_id nulls first
        on conflict (tenant_id, date, model_id) do update
        set failed_accounts = excluded.failed_accounts, warmups_finished = excluded.warmups_finished,
            warmup_secs = excluded.warmup_secs, reviews_approved = excluded.reviews_approved,
            reviews_resumed = excluded.reviews_resumed, reviews_rejected = excluded.reviews_rejected,
            bot_actions = excluded.bot_actions, bot_errors = excluded.bot_errors,
            average_execution_time_ms = excluded.average_execution_time_ms,
            step_1_success_rate = excluded.step_1_success_rate, step_2_success_rate = excluded.step_2_success_rate,
            step_3_success_rate = excluded.step_3_success_rate, step_4_success_rate = excluded.step_4_success_rate,
            step_5_success_rate = excluded.step_5_success_rate;
    end loop;

    -- What accounts and proxies there are can be counted only on the day itself.
    if v_today = any (v_days) then
        insert into daily_metrics as d (
            tenant_id, date, model_id, counted_at, total_accounts, active_accounts, warming_up_accounts, active_proxies,
            proxy_places, proxy_accounts, proxy_monthly_cost, proxy_utilization_rate)
        select p_tenant, v_today, k.model_id, v_now, coalesce(a.total, 0), coalesce(a.active, 0), coalesce(a.warming_up, 0),
            coalesce(p.active, 0), coalesce(p.places, 0), coalesce(p.accounts, 0), coalesce(p.monthly_cost, 0),
            coalesce(round(100.0 * p.accounts / nullif(p.places, 0), 2), 0)
        from (select null::bigint as model_id union all select id from models where tenant_id = p_tenant) k
        left join (
            select c.model_id, sum(c.accounts) filter (where c.lifecycle_state <> 'cleanup') as total,
                sum(c.accounts) filter (where c.lifecycle_state = 'active') as active,
                sum(c.accounts) filter (where c.lifecycle_state = 'warming_up') as warming_up
            from counted_accounts(p_tenant) c
            group by grouping sets ((), (c.model_id))
            having grouping(c.model_id) = 1 or c.model_id is not null
        ) a on a.model_id is not distinct from k.model_id
        left join (
            select x.model_id, sum(x.proxies - x.failed - x.inactive) as active, sum(x.places) as places,
                sum(x.accounts) as accounts, sum(x.monthly_cost) as monthly_cost
            from counted_proxies(p_tenant) x
            where x.share = 'model'
            group by grouping sets ((), (x.model_id))
            having grouping(x.model_id) = 1 or x.model_id is not null
        ) p on p.model_id is not distinct from k.model_id
        order by k.model_id nulls first
        on conflict (tenant_id, date, model_id) do update
        set counted_at = excluded.counted_at, total_accounts = excluded.total_accounts,
            active_accounts = excluded.active_accounts, warming_up_accounts = excluded.warming_up_accounts,
            active_proxies = excluded.active_proxies, proxy_places = excluded.proxy_places,
            proxy_accounts = excluded.proxy_accounts, proxy_monthly_cost = excluded.proxy_monthly_cost,
            proxy_utilization_rate = excluded.proxy_utilization_rate;
    end if;

    delete from daily_metrics where tenant_id = p_tenant and date <= v_today - p_keep_days;
    delete from daily_step_metrics where tenant_id = p_tenant and date <= v_today - p_keep_days;
    delete from daily_failures where tenant_id = p_tenant and date <= v_today - p_keep_days;
    return cardinality(v_days);
end
$$;

CREATE FUNCTION public.settle_steps(p_tenant bigint, p_reported boolean, p_attempts_max smallint, p_retry_ms integer, p_bots bigint[], p_operators bigint[], p_sessions text[], p_reporters integer[], p_accounts bigint[], p_leases bigint[], p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[]) RETURNS integer[]
    LANGUAGE plpgsql
    AS $$
declare
    v_live integer;
    v_settled integer[];
begin
    with live as materialized (
        select r.item, r.account_id, r.lease, r.outcome, r.time_ms, r.response,
            r.error as given_error, r.session, q.ctid as tid, q.model_id, q.step, q.attempt,
            q.leased_at, q.bot_id, q.operator_id, q.content_id, q.text_id, r.outcome = 'completed' as completed,
            case r.outcome when 'completed' then q.step = 5 when 'failed' then q.attempt + 1 >= p_attempts_max
                else true end as moves,
            case when r.outcome <> 'completed' then coalesce(r.error, 'no reason was given') end as error,
            case when not p_reported then null when q.bot_id is not null then 'bot:' || q.bot_id
                else 'operator:' || q.operator_id end as by
        from (
            select i.*, p_bots[i.reporter] as bot, p_operators[i.reporter] as operator, p_sessions[i.reporter] as session
            from unnest(p_reporters, p_accounts, p_leases, p_outcomes, p_times_ms, p_responses, p_errors) with ordinality
                i (reporter, account_id, lease, outcome, time_ms, response, error, item)
        ) r
        join work_queue q on q.tenant_id = p_tenant and q.account_id = r.account_id
        where case when q.state = 'leased' and q.lease = r.lease then
            case when p_reported then q.leased_until > now() and q.bot_id is not distinct from r.bot
                    and q.operator_id is not distinct from r.operator
                else q.leased_until <= now() end end
    ), moved as (
        -- Only what leaves its state or went wrong: how far a step is, the queue knows. Where an account moves, the trigger
        -- writes the history.
        update accounts a
        set lifecycle_state = case when l.moves then 'human_review' else a.lifecycle_state end,
            state_changed_at = case when l.moves then now() else a.state_changed_at end,
            warmup_completed_at = case when l.moves and l.completed then now() end,
            requires_human_review = l.moves and not l.completed,
            last_error_message = coalesce(l.error, a.last_error_message),
            last_error_at = case when l.error is null then a.last_error_at else now() end,
            updated_at = now()
        from live l
        where (l.moves or l.error is not null) and a.tenant_id = p_tenant and a.id = l.account_id
            and case when a.lifecycle_state = 'warming_up' then true end
        returning a.id
    ), settled as (
        -- Accounts come first: they are locked before rows of the queue, by everybody.
        update work_queue q
        set state = case when l.moves then 'idle' when q.hold is null then 'ready' else 'held' end,
            hold = case when l.moves then null else q.hold end,
            step = case when l.completed and not l.moves then l.step + 1 else l.step end,
            attempt = case when l.completed then 0 else l.attempt + 1 end,
            run_at = case when l.completed then now() else now() + make_interval(secs =>
                least(p_retry_ms * 2.0 ^ l.attempt, 3600000) * (0.8 + 0.4 * random()) / 1000) end,
            leased_at = null, leased_until = null, bot_id = null, operator_id = null, content_id = null, text_id = null,
            last_bot_action_by = coalesce(l.by, q.last_bot_action_by),
            last_bot_action_at = case when p_reported then now() else q.last_bot_action_at end
        from live l
        where (select count(*) from moved) = (select count(*) from live m where m.moves or m.error is not null)
            and q.ctid = l.tid and q.tenant_id = p_tenant and q.account_id = l.account_id
            and case when q.state = 'leased' then q.lease = l.lease end
        returning l.*
    ), logged as (
        insert into warmup_step_logs (
            tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status, bot_id, operator_id,
            bot_session_id, model_id, content_id, text_id, error_message, retry_count, execution_time_ms,
            instagram_response)
        select p_tenant, s.account_id, s.lease, s.leased_at, case when p_reported then now() end, s.step,
            ('{change_pfp,change_bio,post_highlight,post_story,post_post}'::text[])[s.step], s.outcome, s.bot_id,
            s.operator_id, s.session, s.model_id, s.content_id, s.text_id, s.given_error, s.attempt, s.time_ms, s.response
        from settled s
    ), counted as (
        insert into attempt_count_changes (tenant_id, ended_in, bot_id, completed, failed, timed, time_ms)
        select p_tenant, date_trunc('minute', now()), s.bot_id, count(*) filter (where s.completed),
            count(*) filter (where not s.completed), count(s.time_ms), coalesce(sum(s.time_ms), 0)
        from settled s
        group by s.bot_id
    ), noted as (
        insert into content_uses (tenant_id, content_ids, text_ids, succeeded)
        select p_tenant, array_agg(s.content_id), array_agg(s.text_id), array_agg(s.completed)
        from settled s
        where p_reported and (s.content_id is not null or s.text_id is not null)
        having count(*) > 0
    )
    select (select count(*) from live), array_agg(s.item) into v_live, v_settled from settled s;
    if v_live <> cardinality(coalesce(v_settled, '{}')) then
        raise exception 'accounts or leases changed meanwhile' using errcode = 'serialization_failure';
    end if;
    return v_settled;
end
$$;

CREATE FUNCTION public.sign_in(p_email text) RETURNS TABLE(operator_id bigint, name text, password_hash text, tenant_id bigint, tenant text, role text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    select o.id, o.name, o.password_hash, m.tenant_id, t.name, m.role
    from operators o
    join memberships m on m.operator_id = o.id
    join tenants t on t.id = m.tenant_id
    where o.email = lower(p_email) and o.disabled_at is null
    order by m.tenant_id
$$;

CREATE FUNCTION public.step_content(p_step smallint) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select ('{pfp,null,highlight,story,post}'::text[])[p_step] $$;

CREATE FUNCTION public.step_text(p_step smallint) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ select ('{null,bio,highlight,story,post}'::text[])[p_step] $$;

CREATE TABLE public.text_pools (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    model_id bigint NOT NULL,
    content_type text NOT NULL,
    text_content text NOT NULL,
    is_template boolean DEFAULT false NOT NULL,
    usage_count integer DEFAULT 0 NOT NULL,
    success_count integer DEFAULT 0 NOT NULL,
    success_rate numeric(5,2) GENERATED ALWAYS AS (
CASE
    WHEN (usage_count = 0) THEN (0)::numeric
    ELSE round(((100.0 * (success_count)::numeric) / (usage_count)::numeric), 2)
END) STORED NOT NULL,
    last_used_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text,
    fingerprint bigint GENERATED ALWAYS AS (hashtextextended(text_content, hashtextextended(content_type, model_id))) STORED NOT NULL,
    duplicate boolean DEFAULT false NOT NULL,
    CONSTRAINT text_pools_check CHECK (((success_count >= 0) AND (success_count <= usage_count))),
    CONSTRAINT text_pools_content_type_check CHECK ((content_type = ANY (ARRAY['bio'::text, 'post'::text, 'story'::text, 'highlight'::text]))),
    CONSTRAINT text_pools_created_by_check CHECK ((length(created_by) <= 100)),
    CONSTRAINT text_pools_text_content_check CHECK (((length(text_content) >= 1) AND (length(text_content) <= 10000))),
    CONSTRAINT text_pools_usage_count_check CHECK ((usage_count >= 0))
);
ALTER TABLE ONLY public.text_pools ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.text_pools FORCE ROW LEVEL SECURITY;

CREATE FUNCTION public.text_fields(t public.text_pools) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    select jsonb_build_object(
        'model', (select m.name from models m where m.tenant_id = t.tenant_id and m.id = t.model_id),
        'content_type', t.content_type, 'text_content', t.text_content, 'is_template', t.is_template)
$$;

CREATE FUNCTION public.utc_text(at timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ select to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

CREATE FUNCTION public.walk_accounts(p_tenant bigint, p jsonb, p_ids bigint[], p_walk jsonb, p_order text, p_after_name text, p_after_at timestamp with time zone, p_after_id bigint, p_rows bigint) RETURNS TABLE(name text, at timestamp with time zone, id bigint, account public.accounts, version bigint, walked bigint, matches boolean)
    LANGUAGE sql STABLE
    AS $$
    select w.name, w.at, w.id, w.account, w.version, w.walked,
        coalesce(account_matches(w.account, p), false)
        and (p ->> 'step' is null
            or coalesce(q.step = (p ->> 'step')::smallint and (w.account).warmup_started_at is not null, false))
        and (p ->> 'hold' is null or p ->> 'hold' = coalesce(
            account_hold((w.account).status, (w.account).authorisation_basis, (w.account).authorisation_expires_at,
                (w.account).model_id, m.status, null),
            case when q.state <> 'idle' and q.hold in ('proxy_not_active', 'pool_empty') then q.hold end,
            'none'))
        and (p ->> 'review_event' is null or exists (
            select from account_state_history h
            -- Written by the same transaction: one partition is looked into, or two.
            where h.tenant_id = p_tenant and h.account_id = w.id and h.created_at >= (w.account).state_changed_at
                and h.created_at < (w.account).state_changed_at + interval '1 hour' and h.to_state = 'human_review'
                and h.event = p ->> 'review_event'))
        and (p ->> 'undecided' is null or not exists (
            select from batch_accounts b
            where b.tenant_id = p_tenant and b.account_id = w.id and b.refusal is null))
    from (
        select l.account, l.version, l.name, l.at, l.id, row_number() over () as walked
        from (
            select a as account, a.id, a.xmin::text::bigint as version,
                case when p_order = 'name' then a.username end as name,
                case p_order when 'since' then a.state_changed_at when 'expiry' then a.authorisation_expires_at end as at
            from accounts a
            where a.tenant_id = p_tenant and (p_ids is null or a.id = any (p_ids)) and account_matches(a, p_walk)
                and (p_after_id is null or case p_order
                    when 'id' then a.id > p_after_id
                    when 'name' then a.username > p_after_name
                    when 'since' then (a.state_changed_at, a.id) > (p_after_at, p_after_id)
                    when 'expiry' then (a.authorisation_expires_at, a.id) > (p_after_at, p_after_id)
                end)
            -- That there is no model is no equality for the planner: named here, the index of models is in this order.
            order by name, case when p_walk ->> 'no_model' is not null then a.model_id end, at, id
            limit p_rows
        ) l
    ) w
    left join models m on m.tenant_id = p_tenant and m.id = (w.account).model_id
    -- Only what warms up is held there.
    left join work_queue q on q.tenant_id = p_tenant
        and q.account_id = case when p ->> 'step' is not null or (w.account).lifecycle_state = 'warming_up' then w.id end
$$;

CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);

CREATE TABLE public.account_count_changes (
    tenant_id bigint NOT NULL,
    model_id bigint,
    lifecycle_state text NOT NULL,
    status text NOT NULL,
    change bigint NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.account_count_changes ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.account_count_changes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.account_counts (
    tenant_id bigint NOT NULL,
    model_id bigint,
    lifecycle_state text NOT NULL,
    status text NOT NULL,
    accounts bigint NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.account_counts ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.account_counts FORCE ROW LEVEL SECURITY;

CREATE TABLE public.account_notes (
    tenant_id bigint NOT NULL,
    account_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    operator_id bigint NOT NULL,
    text text NOT NULL,
    CONSTRAINT account_notes_text_check CHECK (((length(text) >= 1) AND (length(text) <= 2000)))
);
ALTER TABLE ONLY public.account_notes ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.account_notes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.account_state_history (
    tenant_id bigint NOT NULL,
    account_id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    event text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    transition_reason text,
    triggered_by text NOT NULL,
    bot_id bigint,
    user_id bigint,
    request_id uuid,
    metadata jsonb,
    model_id bigint,
    CONSTRAINT account_state_history_triggered_by_check CHECK ((triggered_by = ANY (ARRAY['user'::text, 'bot'::text, 'system'::text, 'scheduler'::text])))
)
PARTITION BY RANGE (created_at);
ALTER TABLE ONLY public.account_state_history ALTER COLUMN tenant_id SET (n_distinct_inherited=1);

ALTER TABLE ONLY public.account_state_history FORCE ROW LEVEL SECURITY;

ALTER TABLE public.accounts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.accounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.api_tokens (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    hint text NOT NULL,
    bot_id bigint,
    operator_id bigint,
    role text,
    requests_per_minute integer DEFAULT 60000 NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT api_tokens_check CHECK (((kind = 'bot'::text) = ((bot_id IS NOT NULL) AND (operator_id IS NULL) AND (role IS NULL)))),
    CONSTRAINT api_tokens_check1 CHECK (((kind = 'api'::text) = ((bot_id IS NULL) AND (operator_id IS NOT NULL) AND (role IS NOT NULL)))),
    CONSTRAINT api_tokens_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT api_tokens_hint_check CHECK ((length(hint) <= 8)),
    CONSTRAINT api_tokens_kind_check CHECK ((kind = ANY (ARRAY['bot'::text, 'api'::text]))),
    CONSTRAINT api_tokens_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT api_tokens_requests_per_minute_check CHECK (((requests_per_minute >= 1) AND (requests_per_minute <= 100000000))),
    CONSTRAINT api_tokens_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'operator'::text, 'reviewer'::text, 'viewer'::text])))
);
ALTER TABLE ONLY public.api_tokens ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.api_tokens FORCE ROW LEVEL SECURITY;

ALTER TABLE public.api_tokens ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.api_tokens_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.attempt_count_changes (
    tenant_id bigint NOT NULL,
    ended_in timestamp with time zone NOT NULL,
    bot_id bigint,
    completed bigint NOT NULL,
    failed bigint NOT NULL,
    timed bigint NOT NULL,
    time_ms bigint NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.attempt_count_changes ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.attempt_count_changes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.attempt_counts (
    tenant_id bigint NOT NULL,
    ended_in timestamp with time zone NOT NULL,
    bot_id bigint NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL,
    timed bigint NOT NULL,
    time_ms bigint NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.attempt_counts ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.attempt_counts FORCE ROW LEVEL SECURITY;

CREATE TABLE public.audit_log (
    tenant_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    triggered_by text NOT NULL,
    operator_id bigint,
    bot_id bigint,
    request_id uuid,
    address text,
    action text NOT NULL,
    object_type text NOT NULL,
    object_id text,
    reason text,
    before jsonb,
    after jsonb,
    CONSTRAINT audit_log_action_check CHECK ((length(action) <= 100)),
    CONSTRAINT audit_log_object_type_check CHECK ((length(object_type) <= 50)),
    CONSTRAINT audit_log_triggered_by_check CHECK ((triggered_by = ANY (ARRAY['user'::text, 'bot'::text, 'system'::text, 'scheduler'::text])))
);
ALTER TABLE ONLY public.audit_log ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.audit_log FORCE ROW LEVEL SECURITY;

CREATE TABLE public.authorisations (
    tenant_id bigint NOT NULL,
    account_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    basis text,
    reference text,
    expires_at timestamp with time zone,
    operator_id bigint,
    request_id uuid
);
ALTER TABLE ONLY public.authorisations ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.authorisations FORCE ROW LEVEL SECURITY;

CREATE TABLE public.backup_runs (
    id bigint NOT NULL,
    event text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    good boolean NOT NULL,
    label text,
    bytes bigint,
    recovery_point timestamp with time zone,
    recovery_ms bigint,
    faults text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT backup_runs_bytes_check CHECK ((bytes >= 0)),
    CONSTRAINT backup_runs_check CHECK ((ended_at >= started_at)),
    CONSTRAINT backup_runs_check1 CHECK ((good = (faults = '{}'::text[]))),
    CONSTRAINT backup_runs_event_check CHECK ((event = ANY (ARRAY['full'::text, 'incremental'::text, 'drill'::text]))),
    CONSTRAINT backup_runs_recovery_ms_check CHECK ((recovery_ms >= 0))
);

ALTER TABLE ONLY public.backup_runs FORCE ROW LEVEL SECURITY;

ALTER TABLE public.backup_runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.backup_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.batch_accounts (
    tenant_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    account_id bigint NOT NULL,
    refusal text,
    CONSTRAINT batch_accounts_refusal_check CHECK ((length(refusal) <= 500))
);
ALTER TABLE ONLY public.batch_accounts ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.batch_accounts FORCE ROW LEVEL SECURITY;

CREATE TABLE public.batches (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    event text NOT NULL,
    in_review boolean NOT NULL,
    reason text NOT NULL,
    operator_id bigint NOT NULL,
    request_id uuid NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    accounts bigint NOT NULL,
    moved bigint DEFAULT 0 NOT NULL,
    refused bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    undoes bigint,
    CONSTRAINT batches_accounts_check CHECK ((accounts > 0)),
    CONSTRAINT batches_check CHECK (((moved + refused) <= accounts)),
    CONSTRAINT batches_check1 CHECK (((ended_at IS NOT NULL) = (state = ANY (ARRAY['done'::text, 'cancelled'::text])))),
    CONSTRAINT batches_event_check CHECK ((length(event) <= 50)),
    CONSTRAINT batches_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 500))),
    CONSTRAINT batches_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'running'::text, 'done'::text, 'cancelled'::text])))
);
ALTER TABLE ONLY public.batches ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.batches FORCE ROW LEVEL SECURITY;

ALTER TABLE public.batches ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.batches_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.bot_sessions (
    tenant_id bigint NOT NULL,
    account_id bigint NOT NULL,
    data_encrypted bytea NOT NULL,
    bot_id bigint,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.bot_sessions ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.bot_sessions FORCE ROW LEVEL SECURITY;

CREATE TABLE public.bots (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    pause_reason text,
    last_seen_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT bots_description_check CHECK ((length(description) <= 500)),
    CONSTRAINT bots_name_check CHECK (((length(name) >= 1) AND (length(name) <= 50))),
    CONSTRAINT bots_pause_reason_check CHECK ((length(pause_reason) <= 500)),
    CONSTRAINT bots_status_check CHECK ((status = ANY (ARRAY['active'::text, 'paused'::text])))
);
ALTER TABLE ONLY public.bots ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.bots FORCE ROW LEVEL SECURITY;

ALTER TABLE public.bots ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.bots_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.content_uses (
    tenant_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    content_ids bigint[] NOT NULL,
    text_ids bigint[] NOT NULL,
    succeeded boolean[] NOT NULL
);
ALTER TABLE ONLY public.content_uses ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.content_uses FORCE ROW LEVEL SECURITY;

CREATE TABLE public.daily_failures (
    tenant_id bigint NOT NULL,
    date date NOT NULL,
    model_id bigint,
    step_number smallint NOT NULL,
    cause text NOT NULL,
    failures integer NOT NULL,
    CONSTRAINT daily_failures_cause_check CHECK ((length(cause) <= 100)),
    CONSTRAINT daily_failures_step_number_check CHECK (((step_number >= 1) AND (step_number <= 5)))
);
ALTER TABLE ONLY public.daily_failures ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.daily_failures FORCE ROW LEVEL SECURITY;

CREATE TABLE public.daily_metrics (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    date date NOT NULL,
    model_id bigint,
    total_accounts integer DEFAULT 0 NOT NULL,
    active_accounts integer DEFAULT 0 NOT NULL,
    warming_up_accounts integer DEFAULT 0 NOT NULL,
    failed_accounts integer DEFAULT 0 NOT NULL,
    step_1_success_rate numeric(5,2) DEFAULT 0 NOT NULL,
    step_2_success_rate numeric(5,2) DEFAULT 0 NOT NULL,
    step_3_success_rate numeric(5,2) DEFAULT 0 NOT NULL,
    step_4_success_rate numeric(5,2) DEFAULT 0 NOT NULL,
    step_5_success_rate numeric(5,2) DEFAULT 0 NOT NULL,
    active_proxies integer DEFAULT 0 NOT NULL,
    proxy_utilization_rate numeric(5,2) DEFAULT 0 NOT NULL,
    bot_actions integer DEFAULT 0 NOT NULL,
    bot_errors integer DEFAULT 0 NOT NULL,
    average_execution_time_ms integer DEFAULT 0 NOT NULL,
    counted_at timestamp with time zone,
    warmups_finished integer DEFAULT 0 NOT NULL,
    warmup_secs bigint DEFAULT 0 NOT NULL,
    reviews_approved integer DEFAULT 0 NOT NULL,
    reviews_resumed integer DEFAULT 0 NOT NULL,
    reviews_rejected integer DEFAULT 0 NOT NULL,
    proxy_places integer DEFAULT 0 NOT NULL,
    proxy_accounts integer DEFAULT 0 NOT NULL,
    proxy_monthly_cost numeric(14,2) DEFAULT 0 NOT NULL
);
ALTER TABLE ONLY public.daily_metrics ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.daily_metrics FORCE ROW LEVEL SECURITY;

ALTER TABLE public.daily_metrics ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.daily_metrics_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.daily_step_metrics (
    tenant_id bigint NOT NULL,
    date date NOT NULL,
    model_id bigint,
    step_number smallint NOT NULL,
    attempts integer NOT NULL,
    completed integer NOT NULL,
    failed integer NOT NULL,
    given_to_people integer NOT NULL,
    unreported integer NOT NULL,
    bot_actions integer NOT NULL,
    bot_errors integer NOT NULL,
    timed integer NOT NULL,
    time_ms bigint NOT NULL,
    CONSTRAINT daily_step_metrics_check CHECK ((attempts = ((completed + failed) + given_to_people))),
    CONSTRAINT daily_step_metrics_step_number_check CHECK (((step_number >= 1) AND (step_number <= 5)))
);
ALTER TABLE ONLY public.daily_step_metrics ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.daily_step_metrics FORCE ROW LEVEL SECURITY;

CREATE TABLE public.fingerprint_changes (
    tenant_id bigint NOT NULL,
    fingerprints bigint[] NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.fingerprint_changes ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.fingerprint_changes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.idempotency_keys (
    tenant_id bigint NOT NULL,
    actor text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint,
    answer jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);
ALTER TABLE ONLY public.idempotency_keys ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.idempotency_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.import_rows (
    tenant_id bigint NOT NULL,
    import_id bigint NOT NULL,
    line bigint NOT NULL,
    verdict text NOT NULL,
    key text,
    data jsonb,
    password_encrypted bytea,
    access_token_encrypted bytea,
    raw_encrypted bytea,
    faults jsonb,
    before jsonb,
    before_password_encrypted bytea,
    before_access_token_encrypted bytea,
    target_id bigint,
    CONSTRAINT import_rows_verdict_check CHECK ((verdict = ANY (ARRAY['new'::text, 'changed'::text, 'same'::text, 'rejected'::text])))
);
ALTER TABLE ONLY public.import_rows ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.import_rows FORCE ROW LEVEL SECURITY;

CREATE TABLE public.imports (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    file_name text DEFAULT ''::text NOT NULL,
    detected jsonb DEFAULT '{}'::jsonb NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    notes jsonb DEFAULT '[]'::jsonb NOT NULL,
    new_rows bigint DEFAULT 0 NOT NULL,
    changed_rows bigint DEFAULT 0 NOT NULL,
    same_rows bigint DEFAULT 0 NOT NULL,
    rejected_rows bigint DEFAULT 0 NOT NULL,
    operator_id bigint,
    request_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    committed_at timestamp with time zone,
    undone_at timestamp with time zone,
    file_encrypted bytea,
    faults jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT imports_file_name_check CHECK ((length(file_name) <= 255)),
    CONSTRAINT imports_kind_check CHECK ((kind = ANY (ARRAY['accounts'::text, 'proxies'::text, 'models'::text, 'content'::text, 'texts'::text]))),
    CONSTRAINT imports_state_check CHECK ((state = ANY (ARRAY['reading'::text, 'staged'::text, 'committed'::text, 'undone'::text, 'discarded'::text, 'failed'::text])))
);
ALTER TABLE ONLY public.imports ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.imports FORCE ROW LEVEL SECURITY;

ALTER TABLE public.imports ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.imports_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.lifecycle_transitions (
    event text NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    warmup_complete boolean
);

ALTER TABLE ONLY public.lifecycle_transitions FORCE ROW LEVEL SECURITY;

CREATE TABLE public.memberships (
    tenant_id bigint NOT NULL,
    operator_id bigint NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT memberships_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'operator'::text, 'reviewer'::text, 'viewer'::text])))
);
ALTER TABLE ONLY public.memberships ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.memberships FORCE ROW LEVEL SECURITY;

CREATE TABLE public.metric_rollups (
    tenant_id bigint NOT NULL,
    counted_until timestamp with time zone,
    open_days date[] DEFAULT '{}'::date[] NOT NULL
);
ALTER TABLE ONLY public.metric_rollups ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.metric_rollups FORCE ROW LEVEL SECURITY;

ALTER TABLE public.model_content ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.model_content_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.models ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.models_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.operators (
    id bigint NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text,
    disabled_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT operators_email_check CHECK (((email = lower(email)) AND ((length(email) >= 3) AND (length(email) <= 255)))),
    CONSTRAINT operators_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100)))
);

ALTER TABLE ONLY public.operators FORCE ROW LEVEL SECURITY;

ALTER TABLE public.operators ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.operators_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.password_links (
    tenant_id bigint NOT NULL,
    token_hash bytea NOT NULL,
    operator_id bigint NOT NULL,
    created_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT password_links_token_hash_check CHECK ((length(token_hash) = 32))
);
ALTER TABLE ONLY public.password_links ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.password_links FORCE ROW LEVEL SECURITY;

CREATE TABLE public.pictures (
    tenant_id bigint NOT NULL,
    sha256 bytea NOT NULL,
    media_type text NOT NULL,
    bytes bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text,
    CONSTRAINT pictures_bytes_check CHECK (((length(bytes) >= 1) AND (length(bytes) <= 8388608))),
    CONSTRAINT pictures_check CHECK ((sha256 = sha256(bytes))),
    CONSTRAINT pictures_created_by_check CHECK ((length(created_by) <= 100)),
    CONSTRAINT pictures_media_type_check CHECK ((media_type = ANY (ARRAY['image/jpeg'::text, 'image/png'::text, 'image/webp'::text])))
);
ALTER TABLE ONLY public.pictures ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.pictures FORCE ROW LEVEL SECURITY;

CREATE TABLE public.pool_count_changes (
    tenant_id bigint NOT NULL,
    model_id bigint NOT NULL,
    pool text NOT NULL,
    used_on date,
    items bigint NOT NULL,
    uses bigint NOT NULL,
    completed bigint NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.pool_count_changes ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.pool_count_changes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.pool_counts (
    tenant_id bigint NOT NULL,
    model_id bigint NOT NULL,
    pool text NOT NULL,
    used_on date,
    items bigint NOT NULL,
    uses bigint NOT NULL,
    completed bigint NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.pool_counts ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.pool_counts FORCE ROW LEVEL SECURITY;

ALTER TABLE public.proxies ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.proxies_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.proxy_count_changes (
    tenant_id bigint NOT NULL,
    share text NOT NULL,
    model_id bigint,
    location text,
    proxies bigint NOT NULL,
    failed bigint NOT NULL,
    inactive bigint NOT NULL,
    accounts bigint NOT NULL,
    places bigint NOT NULL,
    monthly_cost numeric NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.proxy_count_changes ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.proxy_count_changes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.proxy_counts (
    tenant_id bigint NOT NULL,
    share text NOT NULL,
    model_id bigint,
    location text,
    proxies bigint NOT NULL,
    failed bigint NOT NULL,
    inactive bigint NOT NULL,
    accounts bigint NOT NULL,
    places bigint NOT NULL,
    monthly_cost numeric NOT NULL,
    CONSTRAINT proxy_counts_share_check CHECK ((share = ANY (ARRAY['model'::text, 'location'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');
ALTER TABLE ONLY public.proxy_counts ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.proxy_counts FORCE ROW LEVEL SECURITY;

CREATE TABLE public.recovery_codes (
    tenant_id bigint NOT NULL,
    operator_id bigint NOT NULL,
    code_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT recovery_codes_code_hash_check CHECK ((length(code_hash) = 32))
);
ALTER TABLE ONLY public.recovery_codes ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.recovery_codes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.retention (
    only_row boolean DEFAULT true NOT NULL,
    kept_from date NOT NULL,
    CONSTRAINT retention_kept_from_check CHECK ((EXTRACT(day FROM kept_from) = (1)::numeric)),
    CONSTRAINT retention_only_row_check CHECK (only_row)
);

ALTER TABLE ONLY public.retention FORCE ROW LEVEL SECURITY;

CREATE TABLE public.second_factors (
    tenant_id bigint NOT NULL,
    operator_id bigint NOT NULL,
    secret_encrypted bytea NOT NULL,
    last_step bigint NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.second_factors ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.second_factors FORCE ROW LEVEL SECURITY;

CREATE TABLE public.sessions (
    tenant_id bigint NOT NULL,
    token_hash bytea NOT NULL,
    operator_id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    address text,
    user_agent text,
    CONSTRAINT sessions_token_hash_check CHECK ((length(token_hash) = 32))
);
ALTER TABLE ONLY public.sessions ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.sessions FORCE ROW LEVEL SECURITY;

CREATE TABLE public.tenant_keys (
    tenant_id bigint NOT NULL,
    version integer NOT NULL,
    wrapped bytea NOT NULL,
    master_key_id text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    resealed bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    resealed_at timestamp with time zone,
    CONSTRAINT tenant_keys_failed_check CHECK ((failed >= 0)),
    CONSTRAINT tenant_keys_resealed_check CHECK ((resealed >= 0)),
    CONSTRAINT tenant_keys_version_check CHECK ((version > 0))
);
ALTER TABLE ONLY public.tenant_keys ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.tenant_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.tenants (
    id bigint NOT NULL,
    name text NOT NULL,
    paused_at timestamp with time zone,
    pause_reason text,
    requests_per_minute integer DEFAULT 600000 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenants_check CHECK (((paused_at IS NULL) = (pause_reason IS NULL))),
    CONSTRAINT tenants_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT tenants_pause_reason_check CHECK ((length(pause_reason) <= 500)),
    CONSTRAINT tenants_requests_per_minute_check CHECK (((requests_per_minute >= 1) AND (requests_per_minute <= 100000000)))
);

ALTER TABLE ONLY public.tenants FORCE ROW LEVEL SECURITY;

ALTER TABLE public.tenants ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.tenants_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.text_pools ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.text_pools_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.views (
    tenant_id bigint NOT NULL,
    id bigint NOT NULL,
    operator_id bigint,
    name text NOT NULL,
    filter text NOT NULL,
    columns text[] DEFAULT '{}'::text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT views_filter_check CHECK ((length(filter) <= 1000)),
    CONSTRAINT views_name_check CHECK (((length(name) >= 1) AND (length(name) <= 50)))
);
ALTER TABLE ONLY public.views ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.views FORCE ROW LEVEL SECURITY;

ALTER TABLE public.views ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.views_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.warmup_step_logs (
    tenant_id bigint NOT NULL,
    account_id bigint NOT NULL,
    lease bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    step_number smallint NOT NULL,
    step_name text NOT NULL,
    status text NOT NULL,
    bot_id bigint,
    operator_id bigint,
    bot_session_id text,
    error_message text,
    error_details jsonb,
    retry_count smallint DEFAULT 0 NOT NULL,
    execution_time_ms integer,
    instagram_response jsonb,
    content_id bigint,
    text_id bigint,
    model_id bigint,
    CONSTRAINT check_step_sequence CHECK ((((step_number = 1) AND (step_name = 'change_pfp'::text)) OR ((step_number = 2) AND (step_name = 'change_bio'::text)) OR ((step_number = 3) AND (step_name = 'post_highlight'::text)) OR ((step_number = 4) AND (step_name = 'post_story'::text)) OR ((step_number = 5) AND (step_name = 'post_post'::text)))),
    CONSTRAINT warmup_step_logs_bot_session_id_check CHECK ((length(bot_session_id) <= 100)),
    CONSTRAINT warmup_step_logs_execution_time_ms_check CHECK ((execution_time_ms >= 0)),
    CONSTRAINT warmup_step_logs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'in_progress'::text, 'completed'::text, 'failed'::text, 'requires_review'::text]))),
    CONSTRAINT warmup_step_logs_step_number_check CHECK (((step_number >= 1) AND (step_number <= 5)))
)
PARTITION BY RANGE (started_at);
ALTER TABLE ONLY public.warmup_step_logs ALTER COLUMN tenant_id SET (n_distinct_inherited=1);

ALTER TABLE ONLY public.warmup_step_logs FORCE ROW LEVEL SECURITY;

CREATE TABLE public.work_queue (
    tenant_id bigint NOT NULL,
    account_id bigint NOT NULL,
    model_id bigint,
    step smallint NOT NULL,
    people_mask smallint DEFAULT 0 NOT NULL,
    for_people boolean GENERATED ALWAYS AS (((((people_mask >> (step - 1)))::integer & 1) = 1)) STORED NOT NULL,
    state text NOT NULL,
    hold text,
    authorised_until timestamp with time zone NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    lease bigint DEFAULT 0 NOT NULL,
    leased_at timestamp with time zone,
    leased_until timestamp with time zone,
    bot_id bigint,
    operator_id bigint,
    content_id bigint,
    text_id bigint,
    last_bot_action_by text,
    last_bot_action_at timestamp with time zone,
    CONSTRAINT work_queue_check CHECK (((state = 'leased'::text) = (leased_until IS NOT NULL))),
    CONSTRAINT work_queue_check1 CHECK (((state <> 'ready'::text) OR (hold IS NULL))),
    CONSTRAINT work_queue_check2 CHECK (((state <> 'held'::text) OR (hold IS NOT NULL))),
    CONSTRAINT work_queue_hold_check CHECK ((hold = ANY (ARRAY['account_not_active'::text, 'authorisation_lapsed'::text, 'no_model'::text, 'model_not_active'::text, 'proxy_not_active'::text, 'pool_empty'::text]))),
    CONSTRAINT work_queue_last_bot_action_by_check CHECK ((length(last_bot_action_by) <= 50)),
    CONSTRAINT work_queue_state_check CHECK ((state = ANY (ARRAY['ready'::text, 'held'::text, 'leased'::text, 'idle'::text]))),
    CONSTRAINT work_queue_step_check CHECK (((step >= 1) AND (step <= 5)))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0', vacuum_truncate=off);
ALTER TABLE ONLY public.work_queue ALTER COLUMN tenant_id SET (n_distinct=1);

ALTER TABLE ONLY public.work_queue FORCE ROW LEVEL SECURITY;

ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.account_notes
    ADD CONSTRAINT account_notes_pkey PRIMARY KEY (tenant_id, account_id, at, id);

ALTER TABLE ONLY public.account_state_history
    ADD CONSTRAINT account_state_history_pkey PRIMARY KEY (tenant_id, account_id, created_at);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_tenant_id_hash_key UNIQUE (tenant_id, hash);

ALTER TABLE ONLY public.attempt_counts
    ADD CONSTRAINT attempt_counts_pkey PRIMARY KEY (tenant_id, ended_in, bot_id);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (tenant_id, at, id);

ALTER TABLE ONLY public.authorisations
    ADD CONSTRAINT authorisations_pkey PRIMARY KEY (tenant_id, account_id, recorded_at);

ALTER TABLE ONLY public.backup_runs
    ADD CONSTRAINT backup_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.batch_accounts
    ADD CONSTRAINT batch_accounts_pkey PRIMARY KEY (tenant_id, batch_id, account_id);

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.bot_sessions
    ADD CONSTRAINT bot_sessions_pkey PRIMARY KEY (tenant_id, account_id);

ALTER TABLE ONLY public.bots
    ADD CONSTRAINT bots_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.bots
    ADD CONSTRAINT bots_tenant_id_name_key UNIQUE (tenant_id, name);

ALTER TABLE ONLY public.daily_metrics
    ADD CONSTRAINT daily_metrics_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.daily_metrics
    ADD CONSTRAINT daily_metrics_tenant_id_date_model_id_key UNIQUE NULLS NOT DISTINCT (tenant_id, date, model_id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant_id, actor, key);

ALTER TABLE ONLY public.import_rows
    ADD CONSTRAINT import_rows_pkey PRIMARY KEY (tenant_id, import_id, line);

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.lifecycle_transitions
    ADD CONSTRAINT lifecycle_transitions_from_state_to_state_warmup_complete_key UNIQUE NULLS NOT DISTINCT (from_state, to_state, warmup_complete);

ALTER TABLE ONLY public.lifecycle_transitions
    ADD CONSTRAINT lifecycle_transitions_pkey PRIMARY KEY (event, from_state);

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (tenant_id, operator_id);

ALTER TABLE ONLY public.metric_rollups
    ADD CONSTRAINT metric_rollups_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY public.model_content
    ADD CONSTRAINT model_content_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_tenant_id_name_key UNIQUE (tenant_id, name);

ALTER TABLE ONLY public.operators
    ADD CONSTRAINT operators_email_key UNIQUE (email);

ALTER TABLE ONLY public.operators
    ADD CONSTRAINT operators_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.password_links
    ADD CONSTRAINT password_links_pkey PRIMARY KEY (tenant_id, token_hash);

ALTER TABLE ONLY public.pictures
    ADD CONSTRAINT pictures_pkey PRIMARY KEY (tenant_id, sha256);

ALTER TABLE ONLY public.proxies
    ADD CONSTRAINT proxies_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.proxies
    ADD CONSTRAINT proxies_tenant_id_scheme_host_port_username_key UNIQUE NULLS NOT DISTINCT (tenant_id, scheme, host, port, username);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (tenant_id, operator_id, code_hash);

ALTER TABLE ONLY public.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT second_factors_pkey PRIMARY KEY (tenant_id, operator_id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (tenant_id, token_hash);

ALTER TABLE ONLY public.tenant_keys
    ADD CONSTRAINT tenant_keys_pkey PRIMARY KEY (tenant_id, version);

ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_name_key UNIQUE (name);

ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.text_pools
    ADD CONSTRAINT text_pools_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.views
    ADD CONSTRAINT views_pkey PRIMARY KEY (tenant_id, id);

ALTER TABLE ONLY public.views
    ADD CONSTRAINT views_tenant_id_operator_id_name_key UNIQUE NULLS NOT DISTINCT (tenant_id, operator_id, name);

ALTER TABLE ONLY public.warmup_step_logs
    ADD CONSTRAINT warmup_step_logs_pkey PRIMARY KEY (tenant_id, account_id, lease, started_at);

ALTER TABLE ONLY public.work_queue
    ADD CONSTRAINT work_queue_pkey PRIMARY KEY (tenant_id, account_id);

CREATE INDEX account_count_changes_tenant ON public.account_count_changes USING btree (tenant_id);

CREATE UNIQUE INDEX account_counts_kind ON public.account_counts USING btree (tenant_id, model_id, lifecycle_state, status) NULLS NOT DISTINCT;

CREATE INDEX accounts_authorisation ON public.accounts USING btree (tenant_id, authorisation_expires_at, id) WHERE (authorisation_expires_at IS NOT NULL);

CREATE INDEX accounts_imported ON public.accounts USING btree (tenant_id, id) INCLUDE (state_changed_at) WHERE (lifecycle_state = 'imported'::text);

CREATE INDEX attempt_count_changes_tenant ON public.attempt_count_changes USING btree (tenant_id);

CREATE INDEX audit_log_bot ON public.audit_log USING btree (tenant_id, bot_id, at) WHERE (bot_id IS NOT NULL);

CREATE INDEX audit_log_object ON public.audit_log USING btree (tenant_id, object_type, object_id, at);

CREATE INDEX audit_log_operator ON public.audit_log USING btree (tenant_id, operator_id, at) WHERE (operator_id IS NOT NULL);

CREATE INDEX audit_log_request ON public.audit_log USING btree (tenant_id, request_id);

CREATE INDEX backup_runs_last ON public.backup_runs USING btree (event, started_at DESC);

CREATE INDEX batch_accounts_account ON public.batch_accounts USING btree (tenant_id, account_id);

CREATE INDEX batches_due ON public.batches USING btree (due_at, tenant_id) WHERE (state = ANY (ARRAY['waiting'::text, 'running'::text]));

CREATE INDEX batches_undoes ON public.batches USING btree (tenant_id, undoes) WHERE (undoes IS NOT NULL);

CREATE INDEX content_uses_tenant ON public.content_uses USING btree (tenant_id);

CREATE INDEX daily_failures_date ON public.daily_failures USING btree (tenant_id, date);

CREATE UNIQUE INDEX daily_failures_key ON public.daily_failures USING btree (tenant_id, model_id, date, step_number, cause) NULLS NOT DISTINCT;

CREATE INDEX daily_step_metrics_date ON public.daily_step_metrics USING btree (tenant_id, date);

CREATE UNIQUE INDEX daily_step_metrics_key ON public.daily_step_metrics USING btree (tenant_id, model_id, date, step_number) NULLS NOT DISTINCT;

CREATE INDEX fingerprint_changes_tenant ON public.fingerprint_changes USING btree (tenant_id);

CREATE INDEX idempotency_keys_age ON public.idempotency_keys USING btree (created_at);

CREATE INDEX idx_accounts_dashboard ON public.accounts USING btree (tenant_id, model_id, lifecycle_state, state_changed_at, id);

CREATE INDEX idx_accounts_lifecycle_state ON public.accounts USING btree (tenant_id, lifecycle_state, state_changed_at, id) WHERE (lifecycle_state <> 'imported'::text);

CREATE INDEX idx_accounts_model_id ON public.accounts USING btree (tenant_id, model_id, id);

CREATE INDEX idx_accounts_proxy_id ON public.accounts USING btree (tenant_id, proxy_id) WHERE (proxy_id IS NOT NULL);

CREATE INDEX idx_accounts_requires_review ON public.accounts USING btree (tenant_id, id) WHERE requires_human_review;

CREATE INDEX idx_accounts_status ON public.accounts USING btree (tenant_id, status, id) WHERE (status <> 'active'::text);

CREATE UNIQUE INDEX idx_accounts_username ON public.accounts USING btree (tenant_id, username);

CREATE INDEX idx_bot_content_lookup ON public.model_content USING btree (tenant_id, model_id, content_type, usage_count, order_priority, id);

CREATE INDEX idx_daily_metrics_date ON public.daily_metrics USING btree (tenant_id, date);

CREATE INDEX idx_daily_metrics_model_id ON public.daily_metrics USING btree (tenant_id, model_id, date);

CREATE INDEX idx_model_content_model_id ON public.model_content USING btree (tenant_id, model_id, id);

CREATE INDEX idx_model_content_template ON public.model_content USING btree (tenant_id, id) WHERE is_template;

CREATE INDEX idx_model_content_type ON public.model_content USING btree (tenant_id, content_type, id);

CREATE INDEX idx_model_content_usage ON public.model_content USING btree (tenant_id, usage_count, id);

CREATE INDEX idx_models_created_at ON public.models USING btree (tenant_id, created_at);

CREATE INDEX idx_models_status ON public.models USING btree (tenant_id, status);

CREATE INDEX idx_proxies_account_count ON public.proxies USING btree (tenant_id, account_count, id);

CREATE INDEX idx_proxies_assigned_model ON public.proxies USING btree (tenant_id, assigned_model_id, id);

CREATE INDEX idx_proxies_location ON public.proxies USING btree (tenant_id, location, id);

CREATE INDEX idx_proxies_status ON public.proxies USING btree (tenant_id, status, id);

CREATE INDEX idx_proxy_availability ON public.proxies USING btree (tenant_id, assigned_model_id, account_count, id) WHERE ((status = 'active'::text) AND (account_count < max_accounts));

CREATE INDEX idx_state_history_created_at ON ONLY public.account_state_history USING brin (created_at);

CREATE INDEX idx_text_pools_content_type ON public.text_pools USING btree (tenant_id, content_type, id);

CREATE INDEX idx_text_pools_model_id ON public.text_pools USING btree (tenant_id, model_id, id);

CREATE INDEX idx_text_pools_template ON public.text_pools USING btree (tenant_id, id) WHERE is_template;

CREATE INDEX idx_text_pools_usage ON public.text_pools USING btree (tenant_id, usage_count, id);

CREATE INDEX idx_warmup_logs_failed ON ONLY public.warmup_step_logs USING btree (tenant_id, started_at) WHERE (status <> 'completed'::text);

CREATE INDEX idx_warmup_logs_started_at ON ONLY public.warmup_step_logs USING brin (started_at);

CREATE INDEX import_rows_verdict ON public.import_rows USING btree (tenant_id, import_id, verdict, line);

CREATE INDEX model_content_duplicate ON public.model_content USING btree (tenant_id, id) WHERE duplicate;

CREATE INDEX model_content_fingerprint ON public.model_content USING btree (tenant_id, fingerprint);

CREATE INDEX model_content_picture ON public.model_content USING btree (tenant_id, picture) WHERE (picture IS NOT NULL);

CREATE INDEX password_links_operator ON public.password_links USING btree (tenant_id, operator_id);

CREATE INDEX pool_count_changes_tenant ON public.pool_count_changes USING btree (tenant_id);

CREATE UNIQUE INDEX pool_counts_kind ON public.pool_counts USING btree (tenant_id, model_id, pool, used_on) NULLS NOT DISTINCT;

CREATE INDEX proxies_full ON public.proxies USING btree (tenant_id, id) WHERE ((status = 'active'::text) AND (account_count >= max_accounts));

CREATE INDEX proxy_count_changes_tenant ON public.proxy_count_changes USING btree (tenant_id);

CREATE UNIQUE INDEX proxy_counts_kind ON public.proxy_counts USING btree (tenant_id, share, model_id, location) NULLS NOT DISTINCT;

CREATE INDEX sessions_operator ON public.sessions USING btree (tenant_id, operator_id);

CREATE INDEX text_pools_duplicate ON public.text_pools USING btree (tenant_id, id) WHERE duplicate;

CREATE INDEX text_pools_fingerprint ON public.text_pools USING btree (tenant_id, fingerprint);

CREATE INDEX text_pools_lookup ON public.text_pools USING btree (tenant_id, model_id, content_type, usage_count, id);

CREATE INDEX warmup_logs_failed_of_bot ON ONLY public.warmup_step_logs USING btree (tenant_id, bot_id, started_at) WHERE (status <> 'completed'::text);

CREATE INDEX work_queue_held ON public.work_queue USING btree (tenant_id, model_id) WHERE (state = 'held'::text);

CREATE INDEX work_queue_holder ON public.work_queue USING btree (tenant_id, bot_id, leased_until) WHERE (leased_until IS NOT NULL);

CREATE INDEX work_queue_leased ON public.work_queue USING btree (tenant_id, leased_until) WHERE (state = 'leased'::text);

CREATE INDEX work_queue_ready ON public.work_queue USING btree (tenant_id, for_people, step, run_at) WHERE (state = 'ready'::text);

CREATE TRIGGER trigger_account_deleted AFTER DELETE ON public.accounts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.accounts_deleted();

CREATE TRIGGER trigger_account_inserted AFTER INSERT ON public.accounts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.accounts_inserted();

CREATE TRIGGER trigger_account_state_history AFTER UPDATE ON public.accounts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.accounts_updated();

CREATE TRIGGER trigger_content_changed AFTER UPDATE ON public.model_content REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pool_changed();

CREATE TRIGGER trigger_content_changes_picture AFTER UPDATE ON public.model_content REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pictures_left();

CREATE TRIGGER trigger_content_counted AFTER INSERT ON public.model_content REFERENCING NEW TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pools_counted('+1');

CREATE TRIGGER trigger_content_counted_anew AFTER UPDATE ON public.model_content REFERENCING NEW TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pools_counted('+1');

CREATE TRIGGER trigger_content_filled AFTER INSERT ON public.model_content REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pool_filled();

CREATE TRIGGER trigger_content_leaves_picture AFTER DELETE ON public.model_content REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pictures_left();

CREATE TRIGGER trigger_content_noted AFTER INSERT ON public.model_content REFERENCING NEW TABLE AS noted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.fingerprints_noted();

CREATE TRIGGER trigger_content_noted_anew AFTER UPDATE ON public.model_content REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.fingerprints_changed();

CREATE TRIGGER trigger_content_noted_gone AFTER DELETE ON public.model_content REFERENCING OLD TABLE AS noted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.fingerprints_noted();

CREATE TRIGGER trigger_content_uncounted AFTER DELETE ON public.model_content REFERENCING OLD TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pools_counted('-1');

CREATE TRIGGER trigger_content_uncounted_anew AFTER UPDATE ON public.model_content REFERENCING OLD TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pools_counted('-1');

CREATE TRIGGER trigger_history_legal AFTER INSERT ON public.account_state_history REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.history_inserted();

CREATE TRIGGER trigger_model_updated AFTER UPDATE ON public.models REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.models_updated();

CREATE TRIGGER trigger_proxy_counted AFTER INSERT ON public.proxies REFERENCING NEW TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.proxies_counted('+1');

CREATE TRIGGER trigger_proxy_counted_anew AFTER UPDATE ON public.proxies REFERENCING NEW TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.proxies_counted('+1');

CREATE TRIGGER trigger_proxy_uncounted AFTER DELETE ON public.proxies REFERENCING OLD TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.proxies_counted('-1');

CREATE TRIGGER trigger_proxy_uncounted_anew AFTER UPDATE ON public.proxies REFERENCING OLD TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.proxies_counted('-1');

CREATE TRIGGER trigger_proxy_updated AFTER UPDATE ON public.proxies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.proxies_updated();

CREATE TRIGGER trigger_text_changed AFTER UPDATE ON public.text_pools REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pool_changed();

CREATE TRIGGER trigger_text_counted AFTER INSERT ON public.text_pools REFERENCING NEW TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pools_counted('+1');

CREATE TRIGGER trigger_text_counted_anew AFTER UPDATE ON public.text_pools REFERENCING NEW TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pools_counted('+1');

CREATE TRIGGER trigger_text_filled AFTER INSERT ON public.text_pools REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pool_filled();

CREATE TRIGGER trigger_text_noted AFTER INSERT ON public.text_pools REFERENCING NEW TABLE AS noted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.fingerprints_noted();

CREATE TRIGGER trigger_text_noted_anew AFTER UPDATE ON public.text_pools REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.fingerprints_changed();

CREATE TRIGGER trigger_text_noted_gone AFTER DELETE ON public.text_pools REFERENCING OLD TABLE AS noted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.fingerprints_noted();

CREATE TRIGGER trigger_text_uncounted AFTER DELETE ON public.text_pools REFERENCING OLD TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pools_counted('-1');

CREATE TRIGGER trigger_text_uncounted_anew AFTER UPDATE ON public.text_pools REFERENCING OLD TABLE AS counted_rows FOR EACH STATEMENT EXECUTE FUNCTION public.pools_counted('-1');

ALTER TABLE ONLY public.account_notes
    ADD CONSTRAINT account_notes_tenant_id_account_id_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES public.accounts(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_tenant_id_model_id_fkey FOREIGN KEY (tenant_id, model_id) REFERENCES public.models(tenant_id, id) ON DELETE SET NULL (model_id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_tenant_id_proxy_id_fkey FOREIGN KEY (tenant_id, proxy_id) REFERENCES public.proxies(tenant_id, id);

ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_tenant_id_bot_id_fkey FOREIGN KEY (tenant_id, bot_id) REFERENCES public.bots(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT api_tokens_tenant_id_operator_id_fkey FOREIGN KEY (tenant_id, operator_id) REFERENCES public.memberships(tenant_id, operator_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.batch_accounts
    ADD CONSTRAINT batch_accounts_tenant_id_account_id_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES public.accounts(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.batch_accounts
    ADD CONSTRAINT batch_accounts_tenant_id_batch_id_fkey FOREIGN KEY (tenant_id, batch_id) REFERENCES public.batches(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_tenant_id_undoes_fkey FOREIGN KEY (tenant_id, undoes) REFERENCES public.batches(tenant_id, id);

ALTER TABLE ONLY public.bot_sessions
    ADD CONSTRAINT bot_sessions_tenant_id_account_id_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES public.accounts(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.bots
    ADD CONSTRAINT bots_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.daily_failures
    ADD CONSTRAINT daily_failures_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.daily_failures
    ADD CONSTRAINT daily_failures_tenant_id_model_id_fkey FOREIGN KEY (tenant_id, model_id) REFERENCES public.models(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.daily_metrics
    ADD CONSTRAINT daily_metrics_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.daily_metrics
    ADD CONSTRAINT daily_metrics_tenant_id_model_id_fkey FOREIGN KEY (tenant_id, model_id) REFERENCES public.models(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.daily_step_metrics
    ADD CONSTRAINT daily_step_metrics_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.daily_step_metrics
    ADD CONSTRAINT daily_step_metrics_tenant_id_model_id_fkey FOREIGN KEY (tenant_id, model_id) REFERENCES public.models(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.import_rows
    ADD CONSTRAINT import_rows_tenant_id_import_id_fkey FOREIGN KEY (tenant_id, import_id) REFERENCES public.imports(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES public.operators(id);

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.metric_rollups
    ADD CONSTRAINT metric_rollups_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.model_content
    ADD CONSTRAINT model_content_tenant_id_model_id_fkey FOREIGN KEY (tenant_id, model_id) REFERENCES public.models(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.model_content
    ADD CONSTRAINT model_content_tenant_id_picture_fkey FOREIGN KEY (tenant_id, picture) REFERENCES public.pictures(tenant_id, sha256);

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.password_links
    ADD CONSTRAINT password_links_tenant_id_operator_id_fkey FOREIGN KEY (tenant_id, operator_id) REFERENCES public.memberships(tenant_id, operator_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.pictures
    ADD CONSTRAINT pictures_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.proxies
    ADD CONSTRAINT proxies_tenant_id_assigned_model_id_fkey FOREIGN KEY (tenant_id, assigned_model_id) REFERENCES public.models(tenant_id, id) ON DELETE SET NULL (assigned_model_id);

ALTER TABLE ONLY public.proxies
    ADD CONSTRAINT proxies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_tenant_id_operator_id_fkey FOREIGN KEY (tenant_id, operator_id) REFERENCES public.second_factors(tenant_id, operator_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT second_factors_tenant_id_operator_id_fkey FOREIGN KEY (tenant_id, operator_id) REFERENCES public.memberships(tenant_id, operator_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_tenant_id_operator_id_fkey FOREIGN KEY (tenant_id, operator_id) REFERENCES public.memberships(tenant_id, operator_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tenant_keys
    ADD CONSTRAINT tenant_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.text_pools
    ADD CONSTRAINT text_pools_tenant_id_model_id_fkey FOREIGN KEY (tenant_id, model_id) REFERENCES public.models(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.views
    ADD CONSTRAINT views_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);

ALTER TABLE ONLY public.views
    ADD CONSTRAINT views_tenant_id_operator_id_fkey FOREIGN KEY (tenant_id, operator_id) REFERENCES public.memberships(tenant_id, operator_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.work_queue
    ADD CONSTRAINT work_queue_tenant_id_account_id_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES public.accounts(tenant_id, id) ON DELETE CASCADE;

ALTER TABLE public.account_count_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_counts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_notes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_state_history ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.api_tokens ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.attempt_count_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.attempt_counts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_log ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.authorisations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.backup_runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.batch_accounts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.batches ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.bot_sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.bots ENABLE ROW LEVEL SECURITY;

CREATE POLICY colleague ON public.operators TO muster_app USING ((EXISTS ( SELECT
   FROM public.memberships m
  WHERE (m.operator_id = operators.id)))) WITH CHECK ((EXISTS ( SELECT
   FROM public.memberships m
  WHERE (m.operator_id = operators.id))));

ALTER TABLE public.content_uses ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.daily_failures ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.daily_metrics ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.daily_step_metrics ENABLE ROW LEVEL SECURITY;

CREATE POLICY everyone ON public.backup_runs FOR SELECT TO muster_owner, muster_app USING (true);

CREATE POLICY everyone ON public.lifecycle_transitions FOR SELECT TO muster_owner, muster_app USING (true);

CREATE POLICY everyone ON public.retention FOR SELECT TO muster_app USING (true);

ALTER TABLE public.fingerprint_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.import_rows ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.imports ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.lifecycle_transitions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.memberships ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.metric_rollups ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.model_content ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.models ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.operators ENABLE ROW LEVEL SECURITY;

CREATE POLICY owner ON public.lifecycle_transitions TO muster_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.memberships FOR SELECT TO muster_owner USING (true);

CREATE POLICY owner ON public.operators TO muster_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.retention TO muster_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.tenants FOR SELECT TO muster_owner USING (true);

ALTER TABLE public.password_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.pictures ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.pool_count_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.pool_counts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.proxies ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.proxy_count_changes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.proxy_counts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.recovery_codes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.retention ENABLE ROW LEVEL SECURITY;

CREATE POLICY scheduler ON public.account_count_changes FOR SELECT TO muster_scheduler USING (true);

CREATE POLICY scheduler ON public.attempt_count_changes FOR SELECT TO muster_scheduler USING (true);

CREATE POLICY scheduler ON public.batches FOR SELECT TO muster_scheduler USING ((state = ANY (ARRAY['waiting'::text, 'running'::text])));

CREATE POLICY scheduler ON public.content_uses FOR SELECT TO muster_scheduler USING (true);

CREATE POLICY scheduler ON public.fingerprint_changes FOR SELECT TO muster_scheduler USING (true);

CREATE POLICY scheduler ON public.pool_count_changes FOR SELECT TO muster_scheduler USING (true);

CREATE POLICY scheduler ON public.proxy_count_changes FOR SELECT TO muster_scheduler USING (true);

CREATE POLICY scheduler ON public.tenants FOR SELECT TO muster_scheduler USING (true);

CREATE POLICY scheduler ON public.work_queue FOR SELECT TO muster_scheduler USING ((state = 'leased'::text));

ALTER TABLE public.second_factors ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant ON public.account_count_changes TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.account_counts TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.account_notes TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.account_state_history TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.accounts TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.api_tokens TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.attempt_count_changes TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.attempt_counts TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.audit_log TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.authorisations TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.batch_accounts TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.batches TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.bot_sessions TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.bots TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.content_uses TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.daily_failures TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.daily_metrics TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.daily_step_metrics TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.fingerprint_changes TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.idempotency_keys TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.import_rows TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.imports TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.memberships TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.metric_rollups TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.model_content TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.models TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.password_links TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.pictures TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.pool_count_changes TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.pool_counts TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.proxies TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.proxy_count_changes TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.proxy_counts TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.recovery_codes TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.second_factors TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.sessions TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.tenant_keys TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.tenants TO muster_owner, muster_app USING ((id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.text_pools TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.views TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.warmup_step_logs TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

CREATE POLICY tenant ON public.work_queue TO muster_owner, muster_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('muster.tenant_id'::text, true), ''::text))::bigint AS "nullif")));

ALTER TABLE public.tenant_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.tenants ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.text_pools ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.views ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.warmup_step_logs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.work_queue ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA public TO muster_app;
GRANT USAGE ON SCHEMA public TO muster_scheduler;

GRANT SELECT,INSERT,DELETE ON TABLE public.accounts TO muster_app;

GRANT UPDATE(username) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(email) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(password_encrypted) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(access_token_encrypted) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(status) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(model_id) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(assigned_at) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(lifecycle_state) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(state_changed_at) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(warmup_started_at) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(warmup_completed_at) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(proxy_id) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(proxy_assigned_at) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(authorisation_basis) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(authorisation_reference) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(authorisation_expires_at) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(requires_human_review) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(last_error_message) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(last_error_at) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(bio) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(profile_picture_url) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(location_city) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(location_campus) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(location_niche) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(birthday) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(device_info) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(content_type) ON TABLE public.accounts TO muster_app;

GRANT UPDATE(updated_at) ON TABLE public.accounts TO muster_app;

REVOKE ALL ON FUNCTION public.account_fields(a public.accounts) FROM PUBLIC;
GRANT ALL ON FUNCTION public.account_fields(a public.accounts) TO muster_app;

REVOKE ALL ON FUNCTION public.account_hold(p_status text, p_basis text, p_expires_at timestamp with time zone, p_model bigint, p_model_status text, p_proxy_status text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.account_hold(p_status text, p_basis text, p_expires_at timestamp with time zone, p_model bigint, p_model_status text, p_proxy_status text) TO muster_app;

REVOKE ALL ON FUNCTION public.account_matches(a public.accounts, p jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.account_matches(a public.accounts, p jsonb) TO muster_app;

REVOKE ALL ON FUNCTION public.accounts_deleted() FROM PUBLIC;
GRANT ALL ON FUNCTION public.accounts_deleted() TO muster_app;

REVOKE ALL ON FUNCTION public.accounts_inserted() FROM PUBLIC;
GRANT ALL ON FUNCTION public.accounts_inserted() TO muster_app;

REVOKE ALL ON FUNCTION public.accounts_updated() FROM PUBLIC;
GRANT ALL ON FUNCTION public.accounts_updated() TO muster_app;

REVOKE ALL ON FUNCTION public.add_member(p_email text, p_name text, p_role text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.add_member(p_email text, p_name text, p_role text) TO muster_app;

REVOKE ALL ON FUNCTION public.begin_restore(p_tenant bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.claim_steps(p_tenant bigint, p_bots bigint[], p_operators bigint[], p_maxes integer[], p_steps smallint[], p_model bigint, p_lease_secs integer, p_from timestamp with time zone[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.claim_steps(p_tenant bigint, p_bots bigint[], p_operators bigint[], p_maxes integer[], p_steps smallint[], p_model bigint, p_lease_secs integer, p_from timestamp with time zone[]) TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.model_content TO muster_app;

GRANT UPDATE(model_id) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(content_type) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(image_url) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(text_content) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(is_template) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(order_priority) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(usage_count) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(success_count) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(last_used_at) ON TABLE public.model_content TO muster_app;

GRANT UPDATE(duplicate) ON TABLE public.model_content TO muster_app;

REVOKE ALL ON FUNCTION public.content_fields(c public.model_content) FROM PUBLIC;
GRANT ALL ON FUNCTION public.content_fields(c public.model_content) TO muster_app;

REVOKE ALL ON FUNCTION public.copied_tables() FROM PUBLIC;
GRANT ALL ON FUNCTION public.copied_tables() TO muster_app;

REVOKE ALL ON FUNCTION public.count_accounts(p_tenant bigint, p_models bigint[], p_totals bigint[], p_actives bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.count_accounts(p_tenant bigint, p_models bigint[], p_totals bigint[], p_actives bigint[]) TO muster_app;

REVOKE ALL ON FUNCTION public.count_proxies(p_tenant bigint, p_proxies bigint[], p_changes bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.count_proxies(p_tenant bigint, p_proxies bigint[], p_changes bigint[]) TO muster_app;

REVOKE ALL ON FUNCTION public.counted_accounts(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.counted_accounts(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.counted_pools(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.counted_pools(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.counted_proxies(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.counted_proxies(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.drop_partitions(p_months integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.drop_partitions(p_months integer) TO muster_scheduler;

REVOKE ALL ON FUNCTION public.duplicates_there(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.duplicates_there(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.extend_leases(p_tenant bigint, p_bot bigint, p_operator bigint, p_accounts bigint[], p_leases bigint[], p_lease_secs integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.extend_leases(p_tenant bigint, p_bot bigint, p_operator bigint, p_accounts bigint[], p_leases bigint[], p_lease_secs integer) TO muster_app;

REVOKE ALL ON FUNCTION public.failure_cause(p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.failure_cause(p_error text) TO muster_app;

REVOKE ALL ON FUNCTION public.fields_hold(p_fields jsonb, p_expected jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fields_hold(p_fields jsonb, p_expected jsonb) TO muster_app;

REVOKE ALL ON FUNCTION public.fingerprints_changed() FROM PUBLIC;
GRANT ALL ON FUNCTION public.fingerprints_changed() TO muster_app;

REVOKE ALL ON FUNCTION public.fingerprints_noted() FROM PUBLIC;
GRANT ALL ON FUNCTION public.fingerprints_noted() TO muster_app;

REVOKE ALL ON FUNCTION public.finish_restore(p_tenant bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.fold_account_counts(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fold_account_counts(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.fold_attempt_counts(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fold_attempt_counts(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.fold_content_uses(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fold_content_uses(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.fold_pool_counts(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fold_pool_counts(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.fold_proxy_counts(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fold_proxy_counts(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.history_inserted() FROM PUBLIC;
GRANT ALL ON FUNCTION public.history_inserted() TO muster_app;

REVOKE ALL ON FUNCTION public.hold_empty(p_tenant bigint, p_accounts bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.hold_empty(p_tenant bigint, p_accounts bigint[]) TO muster_app;

REVOKE ALL ON FUNCTION public.is_backed_up() FROM PUBLIC;
GRANT ALL ON FUNCTION public.is_backed_up() TO muster_app;

REVOKE ALL ON FUNCTION public.leave_pictures(p_tenant bigint, p_pictures bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.leave_pictures(p_tenant bigint, p_pictures bytea[]) TO muster_app;

REVOKE ALL ON FUNCTION public.leave_queue(p_tenant bigint, p_accounts bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.leave_queue(p_tenant bigint, p_accounts bigint[]) TO muster_app;

REVOKE ALL ON FUNCTION public.make_partition(p_parent text, p_month date) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.make_partitions(months_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.make_partitions(months_ahead integer) TO muster_app;
GRANT ALL ON FUNCTION public.make_partitions(months_ahead integer) TO muster_scheduler;

REVOKE ALL ON FUNCTION public.mark_duplicates(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mark_duplicates(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.may_set_password(p_operator bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.may_set_password(p_operator bigint) TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.models TO muster_app;

GRANT UPDATE(name) ON TABLE public.models TO muster_app;

GRANT UPDATE(description) ON TABLE public.models TO muster_app;

GRANT UPDATE(status) ON TABLE public.models TO muster_app;

GRANT UPDATE(unfollow_ratio) ON TABLE public.models TO muster_app;

GRANT UPDATE(daily_follow_limit) ON TABLE public.models TO muster_app;

GRANT UPDATE(posting_schedule) ON TABLE public.models TO muster_app;

GRANT UPDATE(people_steps) ON TABLE public.models TO muster_app;

GRANT UPDATE(total_accounts) ON TABLE public.models TO muster_app;

GRANT UPDATE(active_accounts) ON TABLE public.models TO muster_app;

GRANT UPDATE(updated_at) ON TABLE public.models TO muster_app;

GRANT UPDATE(pause_reason) ON TABLE public.models TO muster_app;

REVOKE ALL ON FUNCTION public.model_fields(m public.models) FROM PUBLIC;
GRANT ALL ON FUNCTION public.model_fields(m public.models) TO muster_app;

REVOKE ALL ON FUNCTION public.models_updated() FROM PUBLIC;
GRANT ALL ON FUNCTION public.models_updated() TO muster_app;

REVOKE ALL ON FUNCTION public.muster_act(p_accounts bigint[], p_actors integer[], p_bots bigint[], p_operators bigint[], p_requests uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_act(p_accounts bigint[], p_actors integer[], p_bots bigint[], p_operators bigint[], p_requests uuid[]) TO muster_app;

REVOKE ALL ON FUNCTION public.muster_act_as(p_tenant bigint, p_triggered_by text, p_operator bigint, p_bot bigint, p_request uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_act_as(p_tenant bigint, p_triggered_by text, p_operator bigint, p_bot bigint, p_request uuid) TO muster_app;

REVOKE ALL ON FUNCTION public.muster_acts() FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_acts() TO muster_app;

REVOKE ALL ON FUNCTION public.muster_bot() FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_bot() TO muster_app;

REVOKE ALL ON FUNCTION public.muster_operator() FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_operator() TO muster_app;

REVOKE ALL ON FUNCTION public.muster_reason() FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_reason() TO muster_app;

REVOKE ALL ON FUNCTION public.muster_request() FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_request() TO muster_app;

REVOKE ALL ON FUNCTION public.muster_tenant() FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_tenant() TO muster_app;

REVOKE ALL ON FUNCTION public.muster_triggered_by() FROM PUBLIC;
GRANT ALL ON FUNCTION public.muster_triggered_by() TO muster_app;

REVOKE ALL ON FUNCTION public.my_tenants() FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_tenants() TO muster_app;

REVOKE ALL ON FUNCTION public.old_partitions(p_months integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.old_partitions(p_months integer) TO muster_app;

REVOKE ALL ON FUNCTION public.pictures_left() FROM PUBLIC;
GRANT ALL ON FUNCTION public.pictures_left() TO muster_app;

REVOKE ALL ON FUNCTION public.pool_changed() FROM PUBLIC;
GRANT ALL ON FUNCTION public.pool_changed() TO muster_app;

REVOKE ALL ON FUNCTION public.pool_filled() FROM PUBLIC;
GRANT ALL ON FUNCTION public.pool_filled() TO muster_app;

REVOKE ALL ON FUNCTION public.pool_used_on(p_usage_count integer, p_last_used_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.pool_used_on(p_usage_count integer, p_last_used_at timestamp with time zone) TO muster_app;

REVOKE ALL ON FUNCTION public.pools_counted() FROM PUBLIC;
GRANT ALL ON FUNCTION public.pools_counted() TO muster_app;

REVOKE ALL ON FUNCTION public.pools_there(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.pools_there(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.proxies_counted() FROM PUBLIC;
GRANT ALL ON FUNCTION public.proxies_counted() TO muster_app;

REVOKE ALL ON FUNCTION public.proxies_there(p_tenant bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.proxies_there(p_tenant bigint) TO muster_app;

REVOKE ALL ON FUNCTION public.proxies_updated() FROM PUBLIC;
GRANT ALL ON FUNCTION public.proxies_updated() TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.proxies TO muster_app;

GRANT UPDATE(scheme) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(host) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(port) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(username) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(password_encrypted) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(exit_ip) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(provider) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(location) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(monthly_cost) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(status) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(assigned_model_id) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(account_count) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(max_accounts) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(updated_at) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(last_tested_at) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(last_latency_ms) ON TABLE public.proxies TO muster_app;

GRANT UPDATE(last_error_message) ON TABLE public.proxies TO muster_app;

REVOKE ALL ON FUNCTION public.proxy_fields(p public.proxies) FROM PUBLIC;
GRANT ALL ON FUNCTION public.proxy_fields(p public.proxies) TO muster_app;

REVOKE ALL ON FUNCTION public.proxy_places(p_status text, p_account_count integer, p_max_accounts integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.proxy_places(p_status text, p_account_count integer, p_max_accounts integer) TO muster_app;

REVOKE ALL ON FUNCTION public.reap_leases(p_tenant bigint, p_max integer, p_attempts_max smallint, p_retry_ms integer, p_from timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.reap_leases(p_tenant bigint, p_max integer, p_attempts_max smallint, p_retry_ms integer, p_from timestamp with time zone) TO muster_app;

REVOKE ALL ON FUNCTION public.recent_day(p_day date) FROM PUBLIC;
GRANT ALL ON FUNCTION public.recent_day(p_day date) TO muster_app;

REVOKE ALL ON FUNCTION public.refill_queue(p_tenant bigint, p_models bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.refill_queue(p_tenant bigint, p_models bigint[]) TO muster_app;

REVOKE ALL ON FUNCTION public.refresh_queue(p_tenant bigint, p_accounts bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.refresh_queue(p_tenant bigint, p_accounts bigint[]) TO muster_app;

REVOKE ALL ON FUNCTION public.release_leases(p_tenant bigint, p_bot bigint, p_operator bigint, p_accounts bigint[], p_leases bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.release_leases(p_tenant bigint, p_bot bigint, p_operator bigint, p_accounts bigint[], p_leases bigint[]) TO muster_app;

REVOKE ALL ON FUNCTION public.report_steps(p_tenant bigint, p_attempts_max smallint, p_retry_ms integer, p_bots bigint[], p_operators bigint[], p_requests uuid[], p_addresses text[], p_sessions text[], p_reporters integer[], p_accounts bigint[], p_leases bigint[], p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.report_steps(p_tenant bigint, p_attempts_max smallint, p_retry_ms integer, p_bots bigint[], p_operators bigint[], p_requests uuid[], p_addresses text[], p_sessions text[], p_reporters integer[], p_accounts bigint[], p_leases bigint[], p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[]) TO muster_app;

REVOKE ALL ON FUNCTION public.restore_rows(p_tenant bigint, p_table text, p_rows jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.roll_up_metrics(p_tenant bigint, p_from date, p_to date, p_keep_days integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.roll_up_metrics(p_tenant bigint, p_from date, p_to date, p_keep_days integer) TO muster_app;

REVOKE ALL ON FUNCTION public.settle_steps(p_tenant bigint, p_reported boolean, p_attempts_max smallint, p_retry_ms integer, p_bots bigint[], p_operators bigint[], p_sessions text[], p_reporters integer[], p_accounts bigint[], p_leases bigint[], p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.settle_steps(p_tenant bigint, p_reported boolean, p_attempts_max smallint, p_retry_ms integer, p_bots bigint[], p_operators bigint[], p_sessions text[], p_reporters integer[], p_accounts bigint[], p_leases bigint[], p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[]) TO muster_app;

REVOKE ALL ON FUNCTION public.sign_in(p_email text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sign_in(p_email text) TO muster_app;

REVOKE ALL ON FUNCTION public.step_content(p_step smallint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.step_content(p_step smallint) TO muster_app;

REVOKE ALL ON FUNCTION public.step_text(p_step smallint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.step_text(p_step smallint) TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.text_pools TO muster_app;

GRANT UPDATE(model_id) ON TABLE public.text_pools TO muster_app;

GRANT UPDATE(content_type) ON TABLE public.text_pools TO muster_app;

GRANT UPDATE(text_content) ON TABLE public.text_pools TO muster_app;

GRANT UPDATE(is_template) ON TABLE public.text_pools TO muster_app;

GRANT UPDATE(usage_count) ON TABLE public.text_pools TO muster_app;

GRANT UPDATE(success_count) ON TABLE public.text_pools TO muster_app;

GRANT UPDATE(last_used_at) ON TABLE public.text_pools TO muster_app;

GRANT UPDATE(duplicate) ON TABLE public.text_pools TO muster_app;

REVOKE ALL ON FUNCTION public.text_fields(t public.text_pools) FROM PUBLIC;
GRANT ALL ON FUNCTION public.text_fields(t public.text_pools) TO muster_app;

REVOKE ALL ON FUNCTION public.utc_text(at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.utc_text(at timestamp with time zone) TO muster_app;

REVOKE ALL ON FUNCTION public.walk_accounts(p_tenant bigint, p jsonb, p_ids bigint[], p_walk jsonb, p_order text, p_after_name text, p_after_at timestamp with time zone, p_after_id bigint, p_rows bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.walk_accounts(p_tenant bigint, p jsonb, p_ids bigint[], p_walk jsonb, p_order text, p_after_name text, p_after_at timestamp with time zone, p_after_id bigint, p_rows bigint) TO muster_app;

GRANT SELECT(version) ON TABLE public._sqlx_migrations TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.account_count_changes TO muster_app;

GRANT SELECT(tenant_id) ON TABLE public.account_count_changes TO muster_scheduler;

GRANT SELECT,INSERT ON TABLE public.account_counts TO muster_app;

GRANT UPDATE(accounts) ON TABLE public.account_counts TO muster_app;

GRANT SELECT,INSERT ON TABLE public.account_notes TO muster_app;

GRANT SELECT,INSERT ON TABLE public.account_state_history TO muster_app;

GRANT USAGE ON SEQUENCE public.accounts_id_seq TO muster_app;

GRANT SELECT,INSERT ON TABLE public.api_tokens TO muster_app;

GRANT UPDATE(name) ON TABLE public.api_tokens TO muster_app;

GRANT UPDATE(requests_per_minute) ON TABLE public.api_tokens TO muster_app;

GRANT UPDATE(expires_at) ON TABLE public.api_tokens TO muster_app;

GRANT UPDATE(revoked_at) ON TABLE public.api_tokens TO muster_app;

GRANT UPDATE(last_used_at) ON TABLE public.api_tokens TO muster_app;

GRANT USAGE ON SEQUENCE public.api_tokens_id_seq TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.attempt_count_changes TO muster_app;

GRANT SELECT(tenant_id) ON TABLE public.attempt_count_changes TO muster_scheduler;

GRANT SELECT,INSERT,DELETE ON TABLE public.attempt_counts TO muster_app;

GRANT UPDATE(completed) ON TABLE public.attempt_counts TO muster_app;

GRANT UPDATE(failed) ON TABLE public.attempt_counts TO muster_app;

GRANT UPDATE(timed) ON TABLE public.attempt_counts TO muster_app;

GRANT UPDATE(time_ms) ON TABLE public.attempt_counts TO muster_app;

GRANT SELECT,INSERT ON TABLE public.audit_log TO muster_app;

GRANT SELECT,INSERT ON TABLE public.authorisations TO muster_app;

GRANT SELECT ON TABLE public.backup_runs TO muster_app;

GRANT USAGE ON SEQUENCE public.backup_runs_id_seq TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.batch_accounts TO muster_app;

GRANT UPDATE(refusal) ON TABLE public.batch_accounts TO muster_app;

GRANT SELECT,INSERT ON TABLE public.batches TO muster_app;

GRANT SELECT(tenant_id) ON TABLE public.batches TO muster_scheduler;

GRANT UPDATE(state) ON TABLE public.batches TO muster_app;
GRANT SELECT(state) ON TABLE public.batches TO muster_scheduler;

GRANT UPDATE(moved) ON TABLE public.batches TO muster_app;

GRANT UPDATE(refused) ON TABLE public.batches TO muster_app;

GRANT SELECT(due_at) ON TABLE public.batches TO muster_scheduler;

GRANT UPDATE(ended_at) ON TABLE public.batches TO muster_app;

GRANT USAGE ON SEQUENCE public.batches_id_seq TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.bot_sessions TO muster_app;

GRANT UPDATE(data_encrypted) ON TABLE public.bot_sessions TO muster_app;

GRANT UPDATE(bot_id) ON TABLE public.bot_sessions TO muster_app;

GRANT UPDATE(updated_at) ON TABLE public.bot_sessions TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.bots TO muster_app;

GRANT UPDATE(name) ON TABLE public.bots TO muster_app;

GRANT UPDATE(description) ON TABLE public.bots TO muster_app;

GRANT UPDATE(status) ON TABLE public.bots TO muster_app;

GRANT UPDATE(pause_reason) ON TABLE public.bots TO muster_app;

GRANT UPDATE(last_seen_at) ON TABLE public.bots TO muster_app;

GRANT USAGE ON SEQUENCE public.bots_id_seq TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.content_uses TO muster_app;

GRANT SELECT(tenant_id) ON TABLE public.content_uses TO muster_scheduler;

GRANT SELECT,INSERT,DELETE ON TABLE public.daily_failures TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(total_accounts) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(active_accounts) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(warming_up_accounts) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(failed_accounts) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(step_1_success_rate) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(step_2_success_rate) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(step_3_success_rate) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(step_4_success_rate) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(step_5_success_rate) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(active_proxies) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(proxy_utilization_rate) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(bot_actions) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(bot_errors) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(average_execution_time_ms) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(counted_at) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(warmups_finished) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(warmup_secs) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(reviews_approved) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(reviews_resumed) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(reviews_rejected) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(proxy_places) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(proxy_accounts) ON TABLE public.daily_metrics TO muster_app;

GRANT UPDATE(proxy_monthly_cost) ON TABLE public.daily_metrics TO muster_app;

GRANT USAGE ON SEQUENCE public.daily_metrics_id_seq TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.daily_step_metrics TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.fingerprint_changes TO muster_app;

GRANT SELECT(tenant_id) ON TABLE public.fingerprint_changes TO muster_scheduler;

GRANT SELECT,INSERT,DELETE ON TABLE public.idempotency_keys TO muster_app;

GRANT UPDATE(status) ON TABLE public.idempotency_keys TO muster_app;

GRANT UPDATE(answer) ON TABLE public.idempotency_keys TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.import_rows TO muster_app;

GRANT UPDATE(password_encrypted) ON TABLE public.import_rows TO muster_app;

GRANT UPDATE(access_token_encrypted) ON TABLE public.import_rows TO muster_app;

GRANT UPDATE(raw_encrypted) ON TABLE public.import_rows TO muster_app;

GRANT UPDATE(before_password_encrypted) ON TABLE public.import_rows TO muster_app;

GRANT UPDATE(before_access_token_encrypted) ON TABLE public.import_rows TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.imports TO muster_app;

GRANT UPDATE(state) ON TABLE public.imports TO muster_app;

GRANT UPDATE(detected) ON TABLE public.imports TO muster_app;

GRANT UPDATE(options) ON TABLE public.imports TO muster_app;

GRANT UPDATE(notes) ON TABLE public.imports TO muster_app;

GRANT UPDATE(new_rows) ON TABLE public.imports TO muster_app;

GRANT UPDATE(changed_rows) ON TABLE public.imports TO muster_app;

GRANT UPDATE(same_rows) ON TABLE public.imports TO muster_app;

GRANT UPDATE(rejected_rows) ON TABLE public.imports TO muster_app;

GRANT UPDATE(committed_at) ON TABLE public.imports TO muster_app;

GRANT UPDATE(undone_at) ON TABLE public.imports TO muster_app;

GRANT UPDATE(file_encrypted) ON TABLE public.imports TO muster_app;

GRANT UPDATE(faults) ON TABLE public.imports TO muster_app;

GRANT USAGE ON SEQUENCE public.imports_id_seq TO muster_app;

GRANT SELECT ON TABLE public.lifecycle_transitions TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.memberships TO muster_app;

GRANT UPDATE(role) ON TABLE public.memberships TO muster_app;

GRANT SELECT,INSERT ON TABLE public.metric_rollups TO muster_app;

GRANT UPDATE(counted_until) ON TABLE public.metric_rollups TO muster_app;

GRANT UPDATE(open_days) ON TABLE public.metric_rollups TO muster_app;

GRANT USAGE ON SEQUENCE public.model_content_id_seq TO muster_app;

GRANT USAGE ON SEQUENCE public.models_id_seq TO muster_app;

GRANT SELECT,INSERT ON TABLE public.operators TO muster_app;

GRANT UPDATE(name) ON TABLE public.operators TO muster_app;

GRANT UPDATE(password_hash) ON TABLE public.operators TO muster_app;

GRANT UPDATE(disabled_at) ON TABLE public.operators TO muster_app;

GRANT USAGE ON SEQUENCE public.operators_id_seq TO muster_app;

GRANT SELECT,INSERT ON TABLE public.password_links TO muster_app;

GRANT UPDATE(used_at) ON TABLE public.password_links TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.pictures TO muster_app;

GRANT UPDATE(created_at) ON TABLE public.pictures TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.pool_count_changes TO muster_app;

GRANT SELECT(tenant_id) ON TABLE public.pool_count_changes TO muster_scheduler;

GRANT SELECT,INSERT,DELETE ON TABLE public.pool_counts TO muster_app;

GRANT UPDATE(items) ON TABLE public.pool_counts TO muster_app;

GRANT UPDATE(uses) ON TABLE public.pool_counts TO muster_app;

GRANT UPDATE(completed) ON TABLE public.pool_counts TO muster_app;

GRANT USAGE ON SEQUENCE public.proxies_id_seq TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.proxy_count_changes TO muster_app;

GRANT SELECT(tenant_id) ON TABLE public.proxy_count_changes TO muster_scheduler;

GRANT SELECT,INSERT ON TABLE public.proxy_counts TO muster_app;

GRANT UPDATE(proxies) ON TABLE public.proxy_counts TO muster_app;

GRANT UPDATE(failed) ON TABLE public.proxy_counts TO muster_app;

GRANT UPDATE(inactive) ON TABLE public.proxy_counts TO muster_app;

GRANT UPDATE(accounts) ON TABLE public.proxy_counts TO muster_app;

GRANT UPDATE(places) ON TABLE public.proxy_counts TO muster_app;

GRANT UPDATE(monthly_cost) ON TABLE public.proxy_counts TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.recovery_codes TO muster_app;

GRANT SELECT ON TABLE public.retention TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.second_factors TO muster_app;

GRANT UPDATE(secret_encrypted) ON TABLE public.second_factors TO muster_app;

GRANT UPDATE(last_step) ON TABLE public.second_factors TO muster_app;

GRANT UPDATE(failures) ON TABLE public.second_factors TO muster_app;

GRANT UPDATE(failed_at) ON TABLE public.second_factors TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.sessions TO muster_app;

GRANT UPDATE(last_seen_at) ON TABLE public.sessions TO muster_app;

GRANT UPDATE(expires_at) ON TABLE public.sessions TO muster_app;

GRANT UPDATE(revoked_at) ON TABLE public.sessions TO muster_app;

GRANT SELECT,INSERT ON TABLE public.tenant_keys TO muster_app;

GRANT UPDATE(wrapped) ON TABLE public.tenant_keys TO muster_app;

GRANT UPDATE(master_key_id) ON TABLE public.tenant_keys TO muster_app;

GRANT UPDATE(resealed) ON TABLE public.tenant_keys TO muster_app;

GRANT UPDATE(failed) ON TABLE public.tenant_keys TO muster_app;

GRANT UPDATE(resealed_at) ON TABLE public.tenant_keys TO muster_app;

GRANT SELECT ON TABLE public.tenants TO muster_app;

GRANT SELECT(id) ON TABLE public.tenants TO muster_scheduler;

GRANT UPDATE(name) ON TABLE public.tenants TO muster_app;

GRANT UPDATE(paused_at) ON TABLE public.tenants TO muster_app;
GRANT SELECT(paused_at) ON TABLE public.tenants TO muster_scheduler;

GRANT UPDATE(pause_reason) ON TABLE public.tenants TO muster_app;

GRANT UPDATE(requests_per_minute) ON TABLE public.tenants TO muster_app;

GRANT USAGE ON SEQUENCE public.tenants_id_seq TO muster_app;

GRANT USAGE ON SEQUENCE public.text_pools_id_seq TO muster_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.views TO muster_app;

GRANT USAGE ON SEQUENCE public.views_id_seq TO muster_app;

GRANT SELECT,INSERT ON TABLE public.warmup_step_logs TO muster_app;

GRANT SELECT,INSERT ON TABLE public.work_queue TO muster_app;

GRANT SELECT(tenant_id) ON TABLE public.work_queue TO muster_scheduler;

GRANT UPDATE(model_id) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(step) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(people_mask) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(state) ON TABLE public.work_queue TO muster_app;
GRANT SELECT(state) ON TABLE public.work_queue TO muster_scheduler;

GRANT UPDATE(hold) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(authorised_until) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(attempt) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(run_at) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(lease) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(leased_at) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(leased_until) ON TABLE public.work_queue TO muster_app;
GRANT SELECT(leased_until) ON TABLE public.work_queue TO muster_scheduler;

GRANT UPDATE(bot_id) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(operator_id) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(content_id) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(text_id) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(last_bot_action_by) ON TABLE public.work_queue TO muster_app;

GRANT UPDATE(last_bot_action_at) ON TABLE public.work_queue TO muster_app;
