-- One row or more in every table for each of two tenants, 1 and 2. Loaded by the superuser with triggers and foreign keys
-- off; every id is the number of its tenant.
insert into tenants (id, name) overriding system value select t, 'tenant ' || t from generate_series(1, 2) t;
insert into tenant_keys (tenant_id, version, wrapped, master_key_id) select t, 1, '\x00', 'k' from generate_series(1, 2) t;
insert into operators (id, email, name) overriding system value
    select t, 'p' || t || '@example.com', 'P' from generate_series(1, 2) t;
insert into memberships (tenant_id, operator_id, role) select t, t, 'owner' from generate_series(1, 2) t;
insert into sessions (tenant_id, token_hash, operator_id, expires_at)
    select t, sha256(t::text::bytea), t, now() from generate_series(1, 2) t;
insert into password_links (tenant_id, token_hash, operator_id, expires_at)
    select t, sha256(t::text::bytea), t, now() from generate_series(1, 2) t;
insert into second_factors (tenant_id, operator_id, secret_encrypted, last_step) select t, t, '', 0 from generate_series(1, 2) t;
insert into recovery_codes (tenant_id, operator_id, code_hash) select t, t, sha256('') from generate_series(1, 2) t;
insert into bots (tenant_id, id, name) overriding system value select t, t, 'b' from generate_series(1, 2) t;
insert into api_tokens (tenant_id, id, kind, name, hash, hint, bot_id, expires_at) overriding system value
    select t, t, 'bot', 'n', sha256(t::text::bytea), 'h', t, now() from generate_series(1, 2) t;
insert into audit_log (tenant_id, triggered_by, action, object_type)
    select t, 'system', 'a', 'o' from generate_series(1, 2) t;
insert into idempotency_keys (tenant_id, actor, key, request_hash) select t, 'a', 'k', '\x00' from generate_series(1, 2) t;
insert into models (tenant_id, id, name) overriding system value select t, t, 'm' from generate_series(1, 2) t;
insert into proxies (tenant_id, id, scheme, host, port, provider, location, monthly_cost, account_count)
    overriding system value select t, t, 'http', 'h', 1, 'p', 'l', 0, 1 from generate_series(1, 2) t;
insert into accounts (tenant_id, id, username, email, lifecycle_state, proxy_id, authorisation_basis) overriding system value
    select t, t, 'u', 'e', 'proxy_assigned', t, 'owned' from generate_series(1, 2) t;
insert into account_counts (tenant_id, lifecycle_state, status, accounts)
    select t, 'proxy_assigned', 'active', 1 from generate_series(1, 2) t;
insert into account_count_changes (tenant_id, lifecycle_state, status, change)
    select t, 'proxy_assigned', 'active', 1 from generate_series(1, 2) t;
insert into pool_counts (tenant_id, model_id, pool, items, uses, completed)
    select t, t, 'bio', 1, 0, 0 from generate_series(1, 2) t;
insert into pool_count_changes (tenant_id, model_id, pool, items, uses, completed)
    select t, t, 'any', 1, 0, 0 from generate_series(1, 2) t;
insert into proxy_counts (tenant_id, share, proxies, failed, inactive, accounts, places, monthly_cost)
    select t, 'model', 1, 0, 0, 1, 3, 0 from generate_series(1, 2) t;
insert into proxy_count_changes (tenant_id, share, location, proxies, failed, inactive, accounts, places, monthly_cost)
    select t, 'location', 'l', 1, 0, 0, 1, 3, 0 from generate_series(1, 2) t;
insert into attempt_counts (tenant_id, ended_in, bot_id, completed, failed, timed, time_ms)
    select t, now(), t, 1, 0, 0, 0 from generate_series(1, 2) t;
insert into attempt_count_changes (tenant_id, ended_in, completed, failed, timed, time_ms)
    select t, now(), 1, 0, 0, 0 from generate_series(1, 2) t;
insert into authorisations (tenant_id, account_id, basis) select t, t, 'owned' from generate_series(1, 2) t;
insert into imports (tenant_id, id, kind, state) overriding system value
    select t, t, 'accounts', 'staged' from generate_series(1, 2) t;
insert into import_rows (tenant_id, import_id, line, verdict) select t, t, 1, 'same' from generate_series(1, 2) t;
insert into pictures (tenant_id, sha256, media_type, bytes)
    select t, sha256('\x00'), 'image/png', '\x00' from generate_series(1, 2) t;
insert into model_content (tenant_id, id, model_id, content_type, image_url) overriding system value
    select t, t, t, 'any', 'https://example.com' from generate_series(1, 2) t;
insert into text_pools (tenant_id, id, model_id, content_type, text_content) overriding system value
    select t, t, t, 'bio', 'x' from generate_series(1, 2) t;
insert into fingerprint_changes (tenant_id, fingerprints) select t, '{1}' from generate_series(1, 2) t;
insert into content_uses (tenant_id, content_ids, text_ids, succeeded)
    select t, array[t], '{null}', '{true}' from generate_series(1, 2) t;
insert into account_state_history (tenant_id, account_id, event, to_state, triggered_by)
    select t, t, 'import', 'imported', 'system' from generate_series(1, 2) t;
insert into warmup_step_logs (tenant_id, account_id, lease, started_at, step_number, step_name, status)
    select t, t, 1, now(), 1, 'change_pfp', 'failed' from generate_series(1, 2) t;
insert into work_queue (tenant_id, account_id, step, state, authorised_until, leased_until)
    select t, t, 1, 'leased', 'infinity'::timestamptz, now() from generate_series(1, 2) t
    union all select t, t + 10, 1, 'idle', 'infinity', null from generate_series(1, 2) t;
insert into bot_sessions (tenant_id, account_id, data_encrypted) select t, t, '\x00' from generate_series(1, 2) t;
insert into daily_metrics (tenant_id, id, date, model_id) overriding system value
    select t, t, '2026-01-01', t from generate_series(1, 2) t;
insert into daily_step_metrics (
        tenant_id, date, model_id, step_number, attempts, completed, failed, given_to_people, unreported, bot_actions,
        bot_errors, timed, time_ms)
    select t, '2026-01-01', t, 1, 1, 1, 0, 0, 0, 1, 0, 1, 9 from generate_series(1, 2) t;
insert into daily_failures (tenant_id, date, model_id, step_number, cause, failures)
    select t, '2026-01-01', t, 1, 'c', 1 from generate_series(1, 2) t;
insert into metric_rollups (tenant_id) select t from generate_series(1, 2) t;
insert into batches (tenant_id, id, event, in_review, reason, operator_id, request_id, accounts, due_at) overriding system value
    select t, t, 'retire', false, 'r', t, gen_random_uuid(), 1, now() from generate_series(1, 2) t;
insert into batch_accounts (tenant_id, batch_id, account_id) select t, t, t from generate_series(1, 2) t;
insert into views (tenant_id, id, name, filter) overriding system value select t, t, 'v', '' from generate_series(1, 2) t;
insert into account_notes (tenant_id, account_id, operator_id, text) select t, t, t, 'n' from generate_series(1, 2) t;
insert into backup_runs (event, started_at, ended_at, good) values ('full', now(), now(), true);
insert into retention (kept_from) values ('2020-01-01');
