-- What is in the pools, and what the proxies carry and cost, without adding up what there is of them.

-- What each pool of a model holds by the day on which it was last used, but for what is not folded in yet. Pools are those of the
-- pictures, by their type, and `bio`.
create table pool_counts (
    tenant_id bigint not null,
    model_id bigint not null,
    pool text not null,
    -- In UTC; null for what was never used, -infinity for all that was not used lately.
    used_on date,
    items bigint not null,
    uses bigint not null,
    completed bigint not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create unique index pool_counts_kind on pool_counts (tenant_id, model_id, pool, used_on) nulls not distinct;

-- Appended by each statement that changes content or texts, folded in by the server's timer, so that no counter is a hot row.
create table pool_count_changes (
    tenant_id bigint not null,
    model_id bigint not null,
    pool text not null,
    used_on date,
    items bigint not null,
    uses bigint not null,
    completed bigint not null
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index pool_count_changes_tenant on pool_count_changes (tenant_id);

-- What the proxies of each model and at each location carry and cost: every proxy is in one of each. But for what is not folded in yet.
create table proxy_counts (
    tenant_id bigint not null,
    share text not null check (share in ('model', 'location')),
    model_id bigint,
    location text,
    proxies bigint not null,
    failed bigint not null,
    inactive bigint not null,
    accounts bigint not null,
    places bigint not null,
    monthly_cost numeric not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create unique index proxy_counts_kind on proxy_counts (tenant_id, share, model_id, location) nulls not distinct;

-- As with the pools.
create table proxy_count_changes (
    tenant_id bigint not null,
    share text not null,
    model_id bigint,
    location text,
    proxies bigint not null,
    failed bigint not null,
    inactive bigint not null,
    accounts bigint not null,
    places bigint not null,
    monthly_cost numeric not null
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index proxy_count_changes_tenant on proxy_count_changes (tenant_id);

-- What there is already. The owner sees the rows of one tenant at a time.
do
$$
declare
    tenant bigint;
begin
    for tenant in select id from tenants loop
        perform set_config('muster.tenant_id', tenant::text, true);
        insert into pool_counts (tenant_id, model_id, pool, used_on, items, uses, completed)
        select tenant, model_id, pool,
            case when usage_count > 0 then coalesce((last_used_at at time zone 'utc')::date, '-infinity') end,
            count(*), sum(usage_count), sum(success_count)
        from (
            select model_id, content_type as pool, usage_count, success_count, last_used_at
            from model_content where tenant_id = tenant
            union all
            select model_id, content_type, usage_count, success_count, last_used_at
            from text_pools where tenant_id = tenant and content_type = 'bio'
        ) i
        group by 2, 3, 4;
        insert into proxy_counts (
            tenant_id, share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost)
        select tenant, case grouping(location) when 1 then 'model' else 'location' end, assigned_model_id, location, count(*),
            count(*) filter (where status = 'error'), count(*) filter (where status = 'inactive'), sum(account_count),
            sum(case status when 'active' then max_accounts else account_count end), sum(monthly_cost)
        from proxies where tenant_id = tenant
        group by grouping sets ((assigned_model_id), (location));
    end loop;
    perform set_config('muster.tenant_id', '', true);
end
$$;
