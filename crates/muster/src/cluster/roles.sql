-- Guarantees that Muster's roles exist, that none of them can bypass row-level security, and their time limits.
do $$
begin
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'muster_owner') then
        create role muster_owner;
    end if;
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'muster_app') then
        create role muster_app;
    end if;
    if not exists (select 1 from pg_catalog.pg_roles where rolname = 'muster_scheduler') then
        create role muster_scheduler;
    end if;

    alter role muster_owner login nosuperuser nobypassrls nocreatedb nocreaterole noreplication;
    alter role muster_owner set lock_timeout = '10s';
    alter role muster_owner set idle_in_transaction_session_timeout = '5min';

    alter role muster_app login nosuperuser nobypassrls nocreatedb nocreaterole noreplication noinherit;
    alter role muster_app set statement_timeout = '30s';
    alter role muster_app set lock_timeout = '10s';
    alter role muster_app set idle_in_transaction_session_timeout = '30s';

    alter role muster_scheduler login nosuperuser nobypassrls nocreatedb nocreaterole noreplication noinherit;
    alter role muster_scheduler set statement_timeout = '60s';
    alter role muster_scheduler set lock_timeout = '10s';
    alter role muster_scheduler set idle_in_transaction_session_timeout = '30s';
end
$$
