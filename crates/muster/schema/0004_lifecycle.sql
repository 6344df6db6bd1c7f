-- The seed's phase 3: the table of transitions, the history it leaves, the steps and the queue they are claimed from.

-- The lifecycle, stored by migrate from its one definition in Rust. warmup_complete says whether the transition needs
-- the account's warm-up to be complete (true), to be incomplete (false), or does not ask (null).
create table lifecycle_transitions (
    event text not null,
    from_state text not null,
    to_state text not null,
    warmup_complete boolean,
    primary key (event, from_state),
    unique nulls not distinct (from_state, to_state, warmup_complete)
);

-- Every change of state. Keyed by what it says, so that it can be partitioned and distributed; no reference to the
-- account, because history outlives what it tells of.
create table account_state_history (
    tenant_id bigint not null,
    account_id bigint not null,
    created_at timestamptz not null default clock_timestamp(),
    event text not null,
    from_state text,
    to_state text not null,
    transition_reason text,
    triggered_by text not null check (triggered_by in ('user', 'bot', 'system', 'scheduler')),
    bot_id bigint,
    user_id bigint,
    request_id uuid,
    metadata jsonb,
    primary key (tenant_id, account_id, created_at)
) partition by range (created_at);
create index idx_state_history_to_state on account_state_history (tenant_id, to_state, created_at);
create index idx_state_history_created_at on account_state_history using brin (created_at);

-- One row per attempt at a step, written when the attempt ends. lease is the attempt's fencing token, which only grows
-- for an account; completed_at is null where the attempt was never reported (its lease ran out).
create table warmup_step_logs (
    tenant_id bigint not null,
    account_id bigint not null,
    lease bigint not null,
    started_at timestamptz not null,
    completed_at timestamptz,
    step_number smallint not null check (step_number between 1 and 5),
    step_name text not null,
    status text not null check (status in ('pending', 'in_progress', 'completed', 'failed', 'requires_review')),
    bot_id bigint,
    operator_id bigint,
    bot_session_id text check (length(bot_session_id) <= 100),
    content_used jsonb,
    error_message text,
    error_details jsonb,
    retry_count smallint not null default 0,
    execution_time_ms integer check (execution_time_ms >= 0),
    instagram_response jsonb,
    primary key (tenant_id, account_id, lease, started_at),
    constraint check_step_sequence check (
        (step_number = 1 and step_name = 'change_pfp') or
        (step_number = 2 and step_name = 'change_bio') or
        (step_number = 3 and step_name = 'post_highlight') or
        (step_number = 4 and step_name = 'post_story') or
        (step_number = 5 and step_name = 'post_post')
    )
) partition by range (started_at);
create index idx_warmup_logs_failed on warmup_step_logs (tenant_id, started_at) where status <> 'completed';
create index idx_warmup_logs_started_at on warmup_step_logs using brin (started_at);

-- What is claimed: one narrow row per account that has ever warmed up, kept true by triggers on accounts, models and
-- proxies. The row stays when its work is done, so that the fencing token never starts again.
create table work_queue (
    tenant_id bigint not null,
    account_id bigint not null,
    model_id bigint,
    step smallint not null check (step between 1 and 5),
    -- Bit n-1 is set where step n is for people only.
    people_mask smallint not null default 0,
    for_people boolean not null generated always as ((people_mask >> (step - 1)) & 1 = 1) stored,
    state text not null check (state in ('ready', 'held', 'leased', 'idle')),
    hold text check (hold in (
        'account_not_active', 'authorisation_lapsed', 'no_model', 'model_not_active', 'proxy_not_active', 'pool_empty')),
    authorised_until timestamptz not null,
    -- Failed attempts at this step.
    attempt smallint not null default 0,
    run_at timestamptz not null default now(),
    lease bigint not null default 0,
    leased_at timestamptz,
    leased_until timestamptz,
    bot_id bigint,
    operator_id bigint,
    content_id bigint,
    text_id bigint,
    primary key (tenant_id, account_id),
    foreign key (tenant_id, account_id) references accounts (tenant_id, id) on delete cascade,
    check ((state = 'leased') = (leased_until is not null)),
    check (state <> 'ready' or hold is null),
    check (state <> 'held' or hold is not null)
) with (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
-- Replaces the seed's idx_bot_next_task: holds only what can be claimed, in the order it is claimed.
create index work_queue_ready on work_queue (tenant_id, for_people, step, run_at) where state = 'ready';
-- Deliberately without the tenant first: the reaper looks for what has run out in any tenant.
create index work_queue_leased on work_queue (leased_until, tenant_id) where state = 'leased';
create index work_queue_model on work_queue (tenant_id, model_id) where state <> 'idle';

-- A bot's own state for an account, sealed.
create table bot_sessions (
    tenant_id bigint not null,
    account_id bigint not null,
    data_encrypted bytea not null,
    bot_id bigint,
    updated_at timestamptz not null default now(),
    primary key (tenant_id, account_id),
    foreign key (tenant_id, account_id) references accounts (tenant_id, id) on delete cascade
);
