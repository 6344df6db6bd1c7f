-- The counters of accounts, pools, proxies and attempts. What changes them is appended: of accounts by the triggers that all else of
-- accounts follows from, of pools and proxies by two functions that are told, by a sign, whether rows came or went, and of attempts by
-- what ends them. An update is both, coming and going: what it left as it was comes to nothing when it is folded in.

-- Folds the changes of a tenant into its counters; gives how many counters were changed.
create or replace function fold_account_counts(p_tenant bigint) returns integer language plpgsql as
$$
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

-- How many accounts of each kind there are, in parts to be added up: what is folded in, and what is not yet.
create or replace function counted_accounts(p_tenant bigint)
    returns table (model_id bigint, lifecycle_state text, status text, accounts bigint) language sql stable as
$$
    select model_id, lifecycle_state, status, accounts from account_counts where tenant_id = p_tenant
    union all
    select model_id, lifecycle_state, status, change from account_count_changes where tenant_id = p_tenant
$$;

-- The day on which an item of a pool was last used, as the counters know it: null if it never was, and -infinity if it was before
-- the last seven whole days.
create or replace function recent_day(p_day date) returns date language sql stable as
$$ select case when p_day < (now() at time zone 'utc')::date - 7 then '-infinity'::date else p_day end $$;
create or replace function pool_used_on(p_usage_count integer, p_last_used_at timestamptz) returns date language sql stable as
$$ select case when p_usage_count > 0 then recent_day(coalesce((p_last_used_at at time zone 'utc')::date, '-infinity')) end $$;

create or replace function pools_counted() returns trigger language plpgsql as
$$
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

-- Folds the changes of a tenant into the counters of its pools; gives how many counters were changed. In the pools that change,
-- the days that are no longer recent become one, so that a pool never has more counters than there are recent days.
create or replace function fold_pool_counts(p_tenant bigint) returns integer language plpgsql as
$$
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

-- What is in the pools of each model by the day of its last use, in parts to be added up: what is folded in, and what is not yet.
create or replace function counted_pools(p_tenant bigint)
    returns table (model_id bigint, pool text, used_on date, items bigint, uses bigint, completed bigint) language sql stable as
$$
    select model_id, pool, recent_day(used_on), items, uses, completed from pool_counts where tenant_id = p_tenant
    union all
    select model_id, pool, recent_day(used_on), items, uses, completed from pool_count_changes where tenant_id = p_tenant
$$;

-- The same, counted again.
create or replace function pools_there(p_tenant bigint)
    returns table (model_id bigint, pool text, used_on date, items bigint, uses bigint, completed bigint) language sql stable as
$$
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

-- A proxy out of use has no places but those that are taken.
create or replace function proxy_places(p_status text, p_account_count integer, p_max_accounts integer) returns integer
    language sql immutable as
$$ select case p_status when 'active' then p_max_accounts else p_account_count end $$;

create or replace function proxies_counted() returns trigger language plpgsql as
$$
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

-- Folds the changes of a tenant into the counters of its proxies; gives how many counters were changed.
create or replace function fold_proxy_counts(p_tenant bigint) returns integer language plpgsql as
$$
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

-- What the proxies of each model, and at each location, carry and cost, in parts to be added up: what is folded in, and what is not
-- yet.
create or replace function counted_proxies(p_tenant bigint)
    returns table (share text, model_id bigint, location text, proxies bigint, failed bigint, inactive bigint,
        accounts bigint, places bigint, monthly_cost numeric) language sql stable as
$$
    select share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost
    from proxy_counts where tenant_id = p_tenant
    union all
    select share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost
    from proxy_count_changes where tenant_id = p_tenant
$$;

-- The same, counted again.
create or replace function proxies_there(p_tenant bigint)
    returns table (share text, model_id bigint, location text, proxies bigint, failed bigint, inactive bigint,
        accounts bigint, places bigint, monthly_cost numeric) language sql stable as
$$
    select case grouping(p.location) when 1 then 'model' else 'location' end, p.assigned_model_id, p.location, count(*),
        count(*) filter (where p.status = 'error'), count(*) filter (where p.status = 'inactive'), sum(p.account_count),
        sum(proxy_places(p.status, p.account_count, p.max_accounts)), sum(p.monthly_cost)
    from proxies p where p.tenant_id = p_tenant
    group by grouping sets ((p.assigned_model_id), (p.location))
$$;

-- Folds the attempts of a tenant that have ended into its counters, and forgets those that ended more than an hour ago; gives how many
-- counters were changed.
create or replace function fold_attempt_counts(p_tenant bigint) returns integer language plpgsql as
$$
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
