-- A thousand small tenants more, with an account each. Loaded by the superuser with triggers and foreign keys off.
set session_replication_role = replica;
insert into tenants (id, name) overriding system value select n, 'small ' || n from generate_series(100001, 101000) n;
insert into models (tenant_id, id, name) overriding system value select id, id, 'a model' from tenants where id > 100000;
insert into proxies (tenant_id, id, scheme, host, port, provider, location, monthly_cost, account_count)
    overriding system value
    select id, 10000000 + id, 'http', 'proxy.example.com', 8000, 'a provider', 'a city', 2, 1 from tenants where id > 100000;
insert into accounts (tenant_id, id, username, email, model_id, lifecycle_state, state_changed_at, warmup_started_at, proxy_id,
        proxy_assigned_at, authorisation_basis)
    overriding system value
    select id, 10000000 + id, 'user', 'owner@example.com', id, 'warming_up', now(), now(), 10000000 + id, now(), 'owned'
    from tenants where id > 100000;
insert into work_queue (tenant_id, account_id, model_id, step, state, authorised_until)
    select tenant_id, id, model_id, 1, 'ready', 'infinity' from accounts where tenant_id > 100000;
