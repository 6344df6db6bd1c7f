-- What the serving roles may do, by name. They own nothing, and there are no grants on partitions.
do
$$
declare
    item record;
begin
    for item in select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') loop
        execute format('revoke all on %I from muster_app, muster_scheduler, public', item.relname);
    end loop;
end
$$;
revoke all on all functions in schema public from public;
grant execute on all functions in schema public to muster_app;
revoke execute on function make_partition(text, date), drop_partitions(integer), begin_restore(bigint), restore_rows(bigint, text, jsonb), finish_restore(bigint)
    from muster_app;
grant execute on function make_partitions(integer), drop_partitions(integer) to muster_scheduler;
grant usage on schema public to muster_app, muster_scheduler;

-- Append-only: what happened is not changed.
grant select, insert on account_state_history, warmup_step_logs, audit_log, authorisations to muster_app;

grant select on tenants, tenant_keys, lifecycle_transitions, backup_runs, retention to muster_app;
grant update (name, paused_at, pause_reason, requests_per_minute) on tenants to muster_app;
grant insert on tenant_keys to muster_app;
grant update (wrapped, master_key_id, resealed, failed, resealed_at) on tenant_keys to muster_app;

grant select, insert on operators to muster_app;
grant update (name, password_hash, disabled_at) on operators to muster_app;
grant select, insert, delete on memberships to muster_app;
grant update (role) on memberships to muster_app;
grant select, insert, delete on sessions to muster_app;
grant update (last_seen_at, expires_at, revoked_at) on sessions to muster_app;
grant select, insert on password_links to muster_app;
grant update (used_at) on password_links to muster_app;
grant select, insert, delete on second_factors, recovery_codes to muster_app;
grant update (secret_encrypted, last_step, failures, failed_at) on second_factors to muster_app;
grant select, insert, delete on bots to muster_app;
grant update (name, description, status, pause_reason, last_seen_at) on bots to muster_app;
grant select, insert on api_tokens to muster_app;
grant update (name, requests_per_minute, expires_at, revoked_at, last_used_at) on api_tokens to muster_app;
grant select, insert, delete on idempotency_keys to muster_app;
grant update (status, answer) on idempotency_keys to muster_app;

grant select, insert, delete on models to muster_app;
grant update (
    name, description, status, pause_reason, unfollow_ratio, daily_follow_limit, posting_schedule, people_steps,
    total_accounts, active_accounts, updated_at) on models to muster_app;
grant select, insert, delete on proxies to muster_app;
grant update (
    scheme, host, port, username, password_encrypted, exit_ip, provider, location, monthly_cost, status,
    assigned_model_id, account_count, max_accounts, updated_at, last_tested_at, last_latency_ms, last_error_message)
    on proxies to muster_app;
grant select, insert, delete on accounts to muster_app;
grant update (
    username, email, password_encrypted, access_token_encrypted, status, model_id, assigned_at, lifecycle_state,
    state_changed_at, warmup_started_at, warmup_completed_at, proxy_id, proxy_assigned_at,
    authorisation_basis, authorisation_reference, authorisation_expires_at,
    requires_human_review, last_error_message, last_error_at, bio, profile_picture_url, location_city,
    location_campus, location_niche, birthday, device_info, content_type, updated_at) on accounts to muster_app;
grant select, insert on account_counts to muster_app;
grant update (accounts) on account_counts to muster_app;
grant select, insert, delete on pool_counts to muster_app;
grant update (items, uses, completed) on pool_counts to muster_app;
grant select, insert on proxy_counts to muster_app;
grant update (proxies, failed, inactive, accounts, places, monthly_cost) on proxy_counts to muster_app;
grant select, insert, delete on attempt_counts to muster_app;
grant update (completed, failed, timed, time_ms) on attempt_counts to muster_app;
grant select, insert, delete on account_count_changes, pool_count_changes, proxy_count_changes, attempt_count_changes, fingerprint_changes
    to muster_app;
grant select, insert, delete on imports, import_rows to muster_app;
grant update (
    state, options, detected, notes, faults, file_encrypted, new_rows, changed_rows, same_rows, rejected_rows,
    committed_at, undone_at)
    on imports to muster_app;
grant update (
    password_encrypted, access_token_encrypted, raw_encrypted, before_password_encrypted, before_access_token_encrypted)
    on import_rows to muster_app;

grant select, insert on batches to muster_app;
grant update (state, moved, refused, ended_at) on batches to muster_app;
grant select, insert, delete on batch_accounts to muster_app;
grant update (refusal) on batch_accounts to muster_app;
grant select, insert, delete on views to muster_app;
grant select, insert on account_notes to muster_app;

grant select, insert, delete on model_content, text_pools, pictures to muster_app;
grant update (created_at) on pictures to muster_app;
grant update (
    model_id, content_type, image_url, text_content, is_template, order_priority, usage_count, success_count,
    last_used_at, duplicate) on model_content to muster_app;
grant update (
    model_id, content_type, text_content, is_template, usage_count, success_count, last_used_at, duplicate)
    on text_pools to muster_app;
grant select, insert, delete on content_uses to muster_app;

grant select, insert on work_queue to muster_app;
grant update (
    model_id, step, people_mask, state, hold, authorised_until, attempt, run_at, lease, leased_at, leased_until, bot_id,
    operator_id, content_id, text_id, last_bot_action_by, last_bot_action_at) on work_queue to muster_app;
grant select, insert, delete on bot_sessions to muster_app;
grant update (data_encrypted, bot_id, updated_at) on bot_sessions to muster_app;
grant select, insert, delete on daily_metrics to muster_app;
grant update (
    total_accounts, active_accounts, warming_up_accounts, failed_accounts, step_1_success_rate, step_2_success_rate,
    step_3_success_rate, step_4_success_rate, step_5_success_rate, active_proxies, proxy_utilization_rate, bot_actions,
    bot_errors, average_execution_time_ms, counted_at, warmups_finished, warmup_secs, reviews_approved, reviews_resumed,
    reviews_rejected, proxy_places, proxy_accounts, proxy_monthly_cost) on daily_metrics to muster_app;
grant select, insert, delete on daily_step_metrics, daily_failures to muster_app;
grant select, insert on metric_rollups to muster_app;
grant update (counted_until, open_days) on metric_rollups to muster_app;

grant select (id, paused_at) on tenants to muster_scheduler;
grant select (tenant_id, state, leased_until) on work_queue to muster_scheduler;
grant select (tenant_id)
    on content_uses, account_count_changes, pool_count_changes, proxy_count_changes, attempt_count_changes, fingerprint_changes
    to muster_scheduler;
grant select (tenant_id, state, due_at) on batches to muster_scheduler;
grant usage on all sequences in schema public to muster_app;
-- A server has to see whether the schema is the one it knows.
do
$$
begin
    if to_regclass('_sqlx_migrations') is not null then
        grant select (version) on _sqlx_migrations to muster_app;
    end if;
end
$$;
