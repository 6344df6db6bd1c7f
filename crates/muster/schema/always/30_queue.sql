-- Keeps the work queue true to accounts, models and proxies. Called by triggers, so that no code can go round it.

-- Why no work of an account is handed out, from what stands in its row, its model's and its proxy's; null where nothing
-- does. Whether its model's pool has something for the step is found by the claim.
create or replace function account_hold(
    p_status text, p_basis text, p_expires_at timestamptz, p_model bigint, p_model_status text, p_proxy_status text)
    returns text language sql stable as
$$
    select case
        when p_status <> 'active' then 'account_not_active'
        when p_basis is null or p_expires_at <= now() then 'authorisation_lapsed'
        when p_model is null then 'no_model'
        when p_model_status <> 'active' then 'model_not_active'
        when p_proxy_status <> 'active' then 'proxy_not_active'
    end
$$;

-- Has accounts that stop warming up give up their step, which a report has done already; the fencing token stays, so that a late
-- report is stale. Its plan is kept, which one in SQL makes anew at each call: a third of a millisecond of a report.
create or replace function leave_queue(p_tenant bigint, p_accounts bigint[]) returns void
    language plpgsql set enable_seqscan = off as
$$
begin
    update work_queue
    set state = 'idle', hold = null, leased_at = null, leased_until = null, bot_id = null, operator_id = null,
        content_id = null, text_id = null
    where tenant_id = p_tenant and account_id = any (p_accounts) and state <> 'idle';
end
$$;

-- Brings hold, model, authorisation and people's steps of these accounts' queue rows up to date. A row that is leased
-- keeps its lease; what is found here applies from its report on.
create or replace function refresh_queue(p_tenant bigint, p_accounts bigint[]) returns void
    language sql set enable_nestloop = on set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as
$$
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

-- Ends the holds of a model's accounts that waited for something in its pools. Locks the models first: a claim that is
-- about to hold an account for an empty pool is waited for, and its hold seen.
create or replace function refill_queue(p_tenant bigint, p_models bigint[]) returns void language sql as
$$
    select from models where tenant_id = p_tenant and id = any (p_models) order by id for key share;
    select refresh_queue(p_tenant, array(
        select account_id from work_queue
        where tenant_id = p_tenant and model_id = any (p_models) and state = 'held' and hold = 'pool_empty'))
$$;

-- As for accounts, transition tables are hashed, never looped over: see accounts_updated.
create or replace function models_updated() returns trigger
    language plpgsql set enable_nestloop = off set enable_hashjoin = on as
$$
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

create or replace function proxies_updated() returns trigger
    language plpgsql set enable_nestloop = off set enable_hashjoin = on as
$$
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

create or replace function pool_filled() returns trigger language plpgsql as
$$
begin
    perform refill_queue(c.tenant_id, c.models)
    from (select tenant_id, array_agg(distinct model_id) as models from new_rows group by tenant_id) c;
    return null;
end
$$;

-- An item that only moved to another model or type fills a pool too.
create or replace function pool_changed() returns trigger
    language plpgsql set enable_nestloop = off set enable_hashjoin = on as
$$
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
