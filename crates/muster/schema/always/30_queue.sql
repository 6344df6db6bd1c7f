-- Keeps the work queue true to accounts, models and proxies. Called by triggers, so that no code can go round it.

-- Brings hold, model, authorisation and people's steps of these accounts' queue rows up to date. A row that is leased
-- keeps its lease; what is found here applies from its report on.
create or replace function refresh_queue(p_tenant bigint, p_accounts bigint[]) returns void language sql as
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
            case
                when a.status <> 'active' then 'account_not_active'
                when a.authorisation_basis is null or a.authorisation_expires_at <= now() then 'authorisation_lapsed'
                when a.model_id is null then 'no_model'
                when m.status <> 'active' then 'model_not_active'
                when p.status <> 'active' then 'proxy_not_active'
            end as hold
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
        where tenant_id = p_tenant and model_id = any (p_models) and state <> 'idle' and hold = 'pool_empty'))
$$;

create or replace function models_updated() returns trigger language plpgsql as
$$
begin
    perform refresh_queue(c.tenant_id, array(
        select q.account_id from work_queue q
        where q.tenant_id = c.tenant_id and q.model_id = any (c.ids) and q.state <> 'idle'))
    from (
        select n.tenant_id, array_agg(n.id) as ids
        from new_rows n join old_rows o using (tenant_id, id)
        where (n.status, n.people_steps) is distinct from (o.status, o.people_steps)
        group by n.tenant_id
    ) c;
    return null;
end
$$;

create or replace function proxies_updated() returns trigger language plpgsql as
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
create or replace function pool_changed() returns trigger language plpgsql as
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
