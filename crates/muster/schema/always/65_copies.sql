-- Restoring a tenant from a copy of it. Only the owner of the tables can: the role that serves may call none of these.

-- The tables of which a copy holds the tenant's rows, in the order in which they can be restored. The data keys are in it too,
-- and are not restored: what they sealed is sealed anew.
create or replace function copied_tables() returns text[] language sql immutable as
$$
    select array ['models', 'bots', 'proxies', 'accounts', 'work_queue', 'warmup_step_logs', 'account_state_history',
        'authorisations', 'account_notes', 'bot_sessions', 'pictures', 'model_content', 'text_pools', 'content_uses', 'daily_metrics',
        'daily_step_metrics', 'daily_failures', 'metric_rollups', 'audit_log']
$$;

-- Has rows of the copied tables taken as they are, until the end of finish_restore: what triggers would derive from them is in
-- the copy too, and an account comes back in its state, not as imported. Nobody else writes to these tables meanwhile. What was
-- counted of the empty tenant p_tenant goes.
create or replace function begin_restore(p_tenant bigint) returns void language plpgsql as
$$
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

-- Puts rows into a copied table, as they were but for the tenant. Partitions that they need are made.
create or replace function restore_rows(p_tenant bigint, p_table text, p_rows jsonb) returns void language plpgsql as
$$
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
$$;

-- Counts the restored accounts, pools and proxies, notes what is in a pool twice, has new rows get numbers after the restored ones, and has triggers fire again.
create or replace function finish_restore(p_tenant bigint) returns void language plpgsql as
$$
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
$$;
