-- Row-level security: enabled and forced on every table, one shape for every table with a tenant. The sub-select makes
-- the setting a constant of the query; where an engine refuses sub-selects in policies, this is the one place to change.
--
-- Whose rows are asked for says the policy and the statement both, and the planner, which takes every tenant for as large as the mean
-- of them, takes the two for independent: among a hundred tenants it expects a ten-thousandth of a table, and would rather read all
-- that a tenant has than look for some keys. Told that there is one tenant, it expects what the largest has.
do
$$
declare
    shape constant text := '(select nullif(current_setting(''muster.tenant_id'', true), '''')::bigint)';
    item record;
    statistics text;
begin
    for item in
        select p.polname, c.relname from pg_policy p join pg_class c on c.oid = p.polrelid
        where c.relnamespace = 'public'::regnamespace
    loop
        execute format('drop policy %I on %I', item.polname, item.relname);
    end loop;

    for item in
        select c.relname, c.relkind,
            case when c.relname = 'tenants' then 'id' else a.attname end as tenant_column
        from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and c.relname <> '_sqlx_migrations'
    loop
        execute format('alter table %I enable row level security', item.relname);
        execute format('alter table %I force row level security', item.relname);
        if item.tenant_column is not null then
            execute format(
                'create policy tenant on %1$I for all to muster_app, muster_owner using (%2$I = %3$s) with check (%2$I = %3$s)',
                item.relname, item.tenant_column, shape);
        end if;
        if item.tenant_column = 'tenant_id' then
            statistics := case item.relkind when 'p' then 'n_distinct_inherited' else 'n_distinct' end;
            execute format('alter table %I alter tenant_id set (%s = 1)', item.relname, statistics);
        end if;
    end loop;
end
$$;

-- An operator is seen by the tenants they belong to, and by the function that signs people in.
create policy colleague on operators for all to muster_app
    using (exists (select from memberships m where m.operator_id = operators.id))
    with check (exists (select from memberships m where m.operator_id = operators.id));
create policy owner on operators for all to muster_owner using (true) with check (true);
create policy owner on memberships as permissive for select to muster_owner using (true);
create policy owner on tenants as permissive for select to muster_owner using (true);

-- The lifecycle is the same for all, and only migrate writes it.
create policy everyone on lifecycle_transitions for select to muster_app, muster_owner using (true);
create policy owner on lifecycle_transitions for all to muster_owner using (true) with check (true);

-- What became of backups is the server's, and shown to whoever asks how it is; the superuser alone writes it.
create policy everyone on backup_runs for select to muster_app, muster_owner using (true);

-- From when history is kept is the server's, too.
create policy everyone on retention for select to muster_app using (true);
create policy owner on retention for all to muster_owner using (true) with check (true);

-- The timer's role sees which tenants have work for it, and no more.
create policy scheduler on tenants for select to muster_scheduler using (true);
create policy scheduler on work_queue for select to muster_scheduler using (state = 'leased');
create policy scheduler on content_uses for select to muster_scheduler using (true);
create policy scheduler on batches for select to muster_scheduler using (state in ('waiting', 'running'));
create policy scheduler on account_count_changes for select to muster_scheduler using (true);
create policy scheduler on pool_count_changes for select to muster_scheduler using (true);
create policy scheduler on proxy_count_changes for select to muster_scheduler using (true);
create policy scheduler on attempt_count_changes for select to muster_scheduler using (true);
create policy scheduler on fingerprint_changes for select to muster_scheduler using (true);
