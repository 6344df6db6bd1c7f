-- What follows from a change of accounts, whatever code made it: legality, history, counters, queue. One trigger per
-- statement, not per row; each part touches only what really changed.

-- Refuses rows of history that the lifecycle does not know.
create or replace function history_inserted() returns trigger language plpgsql as
$$
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

create or replace function accounts_inserted() returns trigger language plpgsql as
$$
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

create or replace function accounts_deleted() returns trigger language plpgsql as
$$
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

-- Adds to the counters of models, in the order of their ids so that concurrent statements do not deadlock.
create or replace function count_accounts(p_tenant bigint, p_models bigint[], p_totals bigint[], p_actives bigint[])
    returns void language sql set enable_nestloop = on as
$$
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

-- Adds to the counters of proxies, in the order of their ids so that concurrent statements do not deadlock. However wrong the
-- guess of how many there are, each is found by its key: the arrays are joined to nothing but keys.
create or replace function count_proxies(p_tenant bigint, p_proxies bigint[], p_changes bigint[]) returns void
    language sql set enable_nestloop = on as
$$
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

-- The plans of a trigger are kept with the connection, made for the few or many rows of its first call: a nested loop over
-- the transition tables, right for one row, would take minutes for ten thousand. So they are always hashed here; what is
-- found by key is found by arrays of keys, or by functions that may use nested loops.
create or replace function accounts_updated() returns trigger
    language plpgsql set enable_nestloop = off set enable_hashjoin = on as
$$
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
