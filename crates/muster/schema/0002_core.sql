-- The seed's phase 1: models, proxies, accounts.

create table models (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    name text not null check (length(name) between 1 and 255),
    description text check (length(description) <= 10000),
    status text not null default 'active' check (status in ('active', 'inactive', 'paused')),
    -- Stored policy of the organisation; nothing acts on these two.
    unfollow_ratio integer not null default 90 check (unfollow_ratio between 0 and 100),
    daily_follow_limit integer not null default 50 check (daily_follow_limit between 1 and 1000),
    posting_schedule jsonb not null default '{}' check (jsonb_typeof(posting_schedule) = 'object'),
    -- Warm-up steps that only people may do.
    people_steps smallint[] not null default '{}' check (people_steps <@ '{1,2,3,4,5}'::smallint[]),
    total_accounts integer not null default 0 check (total_accounts >= 0),
    active_accounts integer not null default 0 check (active_accounts >= 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, name)
);
create index idx_models_status on models (tenant_id, status);
create index idx_models_created_at on models (tenant_id, created_at);

create table proxies (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    scheme text not null check (scheme in ('http', 'socks5')),
    host text not null check (length(host) between 1 and 255),
    port integer not null check (port between 1 and 65535),
    username text check (length(username) between 1 and 255),
    password_encrypted bytea,
    exit_ip inet,
    provider text not null check (length(provider) between 1 and 100),
    location text not null check (length(location) between 1 and 100),
    monthly_cost numeric(10, 2) not null check (monthly_cost >= 0),
    status text not null default 'active' check (status in ('active', 'inactive', 'error')),
    assigned_model_id bigint,
    account_count integer not null default 0,
    max_accounts integer not null default 3 check (max_accounts between 1 and 3),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_tested_at timestamptz,
    last_latency_ms integer check (last_latency_ms >= 0),
    last_error_message text,
    primary key (tenant_id, id),
    -- One provider host and port serves many addresses; the user name tells them apart.
    unique nulls not distinct (tenant_id, scheme, host, port, username),
    foreign key (tenant_id, assigned_model_id) references models (tenant_id, id) on delete set null (assigned_model_id),
    -- The seed's capacity rule. account_count is kept by trigger; no code can put a fourth account on a proxy.
    constraint check_proxy_capacity check (account_count between 0 and max_accounts)
);
create index idx_proxies_status on proxies (tenant_id, status, id);
create index idx_proxies_assigned_model on proxies (tenant_id, assigned_model_id, id);
create index idx_proxies_account_count on proxies (tenant_id, account_count, id);
create index idx_proxies_location on proxies (tenant_id, location, id);
create index idx_proxy_availability on proxies (tenant_id, assigned_model_id, account_count, id)
    where status = 'active' and account_count < max_accounts;

create table accounts (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    username text not null check (username = lower(username) and length(username) between 1 and 100),
    email text not null check (length(email) between 1 and 255),
    password_encrypted bytea,
    access_token_encrypted bytea,
    status text not null default 'active' check (status in ('active', 'banned', 'suspended', 'inactive')),
    model_id bigint,
    assigned_at timestamptz,

    lifecycle_state text not null default 'imported' check (lifecycle_state in (
        'imported', 'proxy_assigned', 'warming_up', 'human_review', 'ready', 'active', 'cleanup'
    )),
    state_changed_at timestamptz not null default now(),
    warmup_step smallint check (warmup_step between 1 and 5),
    warmup_started_at timestamptz,
    warmup_completed_at timestamptz,

    proxy_id bigint,
    proxy_assigned_at timestamptz,

    -- On what ground the organisation manages the account. Without one it stays imported.
    authorisation_basis text check (authorisation_basis in ('owned', 'client_consent', 'employee')),
    authorisation_reference text check (length(authorisation_reference) <= 500),
    authorisation_expires_at timestamptz,
    check (authorisation_basis is not null or (authorisation_reference is null and authorisation_expires_at is null)),

    last_bot_action_by text check (length(last_bot_action_by) <= 50),
    last_bot_action_at timestamptz,

    requires_human_review boolean not null default false,
    last_error_message text,
    last_error_at timestamptz,
    retry_count integer not null default 0 check (retry_count >= 0),

    bio text,
    profile_picture_url text check (length(profile_picture_url) <= 500),
    location_city text check (length(location_city) <= 100),
    location_campus text check (length(location_campus) <= 100),
    location_niche text check (length(location_niche) <= 100),
    birthday date,
    device_info jsonb,
    content_type text check (length(content_type) <= 50),

    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    foreign key (tenant_id, model_id) references models (tenant_id, id) on delete set null (model_id),
    foreign key (tenant_id, proxy_id) references proxies (tenant_id, id),

    -- A state says what is true of its account.
    constraint check_state_has_proxy check ((proxy_id is null) = (lifecycle_state in ('imported', 'cleanup'))),
    constraint check_state_has_step check (lifecycle_state <> 'warming_up'
        or (warmup_step is not null and warmup_started_at is not null and warmup_completed_at is null)),
    constraint check_state_is_warm check (lifecycle_state not in ('ready', 'active') or warmup_completed_at is not null),
    constraint check_state_is_authorised check (lifecycle_state in ('imported', 'cleanup') or authorisation_basis is not null)
) with (fillfactor = 85);
create unique index idx_accounts_username on accounts (tenant_id, username);
create index idx_accounts_model_id on accounts (tenant_id, model_id, id);
create index idx_accounts_lifecycle_state on accounts (tenant_id, lifecycle_state, id);
create index idx_accounts_dashboard on accounts (tenant_id, model_id, lifecycle_state, status, id);
create index idx_accounts_proxy_id on accounts (tenant_id, proxy_id) where proxy_id is not null;
create index idx_accounts_requires_review on accounts (tenant_id, id) where requires_human_review;
create index idx_accounts_status on accounts (tenant_id, status, id) where status <> 'active';
create index accounts_authorisation on accounts (tenant_id, authorisation_expires_at)
    where authorisation_expires_at is not null;

-- Every authorisation an account has had, oldest first. Written by trigger, never changed.
create table authorisations (
    tenant_id bigint not null,
    account_id bigint not null,
    recorded_at timestamptz not null default clock_timestamp(),
    -- All null when an authorisation was withdrawn.
    basis text,
    reference text,
    expires_at timestamptz,
    operator_id bigint,
    request_id uuid,
    primary key (tenant_id, account_id, recorded_at)
);

create table imports (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    kind text not null check (kind in ('accounts', 'proxies', 'models', 'content', 'texts')),
    state text not null check (state in ('reading', 'staged', 'committed', 'undone', 'discarded', 'failed')),
    file_name text not null default '' check (length(file_name) <= 255),
    detected jsonb not null default '{}',
    options jsonb not null default '{}',
    notes jsonb not null default '[]',
    new_rows bigint not null default 0,
    changed_rows bigint not null default 0,
    same_rows bigint not null default 0,
    rejected_rows bigint not null default 0,
    operator_id bigint,
    request_id uuid,
    created_at timestamptz not null default now(),
    committed_at timestamptz,
    undone_at timestamptz,
    primary key (tenant_id, id)
);

create table import_rows (
    tenant_id bigint not null,
    import_id bigint not null,
    line bigint not null,
    verdict text not null check (verdict in ('new', 'changed', 'same', 'rejected')),
    -- What makes the row the same thing as a stored one: user name, proxy identity, model name, and so on.
    key text,
    -- The fields that the row sets; null where it clears one. Never a secret.
    data jsonb,
    -- The row's secrets, sealed for the place they will be stored in.
    password_encrypted bytea,
    access_token_encrypted bytea,
    -- The cells of a rejected row as they stood in the file, sealed: they can hold secrets.
    raw_encrypted bytea,
    -- [{column, code, message, value}]
    faults jsonb,
    -- What the row replaces, for the diff and for undo.
    before jsonb,
    before_password_encrypted bytea,
    before_access_token_encrypted bytea,
    -- The stored thing; for a new thing the id it will have.
    target_id bigint,
    primary key (tenant_id, import_id, line),
    foreign key (tenant_id, import_id) references imports (tenant_id, id) on delete cascade
);
create index import_rows_key on import_rows (tenant_id, import_id, key);
create index import_rows_verdict on import_rows (tenant_id, import_id, verdict, line);
