-- Who may act, and for whom: tenants, the people and programs that act for them, and what each may do.
-- Every table with a tenant has tenant_id first in every key, so that isolation and distribution by tenant stay possible.

create table tenants (
    id bigint generated always as identity primary key,
    name text not null unique check (length(name) between 1 and 100),
    -- Everything stands still while this is set; bots are told the reason.
    paused_at timestamptz,
    pause_reason text check (length(pause_reason) <= 500),
    check ((paused_at is null) = (pause_reason is null)),
    -- Requests a minute that all tokens of the tenant may make together.
    requests_per_minute integer not null default 600000 check (requests_per_minute between 1 and 100000000),
    created_at timestamptz not null default now()
);

-- Data keys, wrapped by the master key, which is never in the database.
create table tenant_keys (
    tenant_id bigint not null references tenants (id),
    version integer not null check (version > 0),
    wrapped bytea not null,
    -- Which master key wrapped it: the first eight bytes of its SHA-256, in hex.
    master_key_id text not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, version)
);

-- People. A person is one operator in all tenants they belong to.
create table operators (
    id bigint generated always as identity primary key,
    email text not null unique check (email = lower(email) and length(email) between 3 and 255),
    name text not null check (length(name) between 1 and 100),
    password_hash text,
    disabled_at timestamptz,
    created_at timestamptz not null default now()
);

create table memberships (
    tenant_id bigint not null references tenants (id),
    operator_id bigint not null references operators (id),
    role text not null check (role in ('owner', 'admin', 'operator', 'reviewer', 'viewer')),
    created_at timestamptz not null default now(),
    primary key (tenant_id, operator_id)
);

create table sessions (
    tenant_id bigint not null,
    token_hash bytea not null check (length(token_hash) = 32),
    operator_id bigint not null,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    address text,
    user_agent text,
    primary key (tenant_id, token_hash),
    foreign key (tenant_id, operator_id) references memberships (tenant_id, operator_id) on delete cascade
);
create index sessions_operator on sessions (tenant_id, operator_id);

create table bots (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    name text not null check (length(name) between 1 and 50),
    description text not null default '' check (length(description) <= 500),
    status text not null default 'active' check (status in ('active', 'paused')),
    pause_reason text check (length(pause_reason) <= 500),
    last_seen_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, name)
);

-- A token is 256 random bits and is stored as its SHA-256. A bot's token acts as the bot; an API token acts as the
-- operator it belongs to, with at most that operator's role.
create table api_tokens (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    kind text not null check (kind in ('bot', 'api')),
    name text not null check (length(name) between 1 and 100),
    hash bytea not null check (length(hash) = 32),
    hint text not null check (length(hint) <= 8),
    bot_id bigint,
    operator_id bigint,
    role text check (role in ('owner', 'admin', 'operator', 'reviewer', 'viewer')),
    requests_per_minute integer not null default 60000 check (requests_per_minute between 1 and 100000000),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, hash),
    foreign key (tenant_id, bot_id) references bots (tenant_id, id) on delete cascade,
    foreign key (tenant_id, operator_id) references memberships (tenant_id, operator_id) on delete cascade,
    check ((kind = 'bot') = (bot_id is not null and operator_id is null and role is null)),
    check ((kind = 'api') = (bot_id is null and operator_id is not null and role is not null))
);

-- Everything done that is not a transition: changes with before and after, secrets opened, refused late reports.
create table audit_log (
    tenant_id bigint not null references tenants (id),
    at timestamptz not null default clock_timestamp(),
    id uuid not null default gen_random_uuid(),
    triggered_by text not null check (triggered_by in ('user', 'bot', 'system', 'scheduler')),
    operator_id bigint,
    bot_id bigint,
    request_id uuid,
    address text,
    action text not null check (length(action) <= 100),
    object_type text not null check (length(object_type) <= 50),
    object_id text,
    reason text,
    before jsonb,
    after jsonb,
    primary key (tenant_id, at, id)
);
create index audit_log_object on audit_log (tenant_id, object_type, object_id, at);

-- The answer to a create, kept so that the same request made again gets the same answer.
create table idempotency_keys (
    tenant_id bigint not null references tenants (id),
    actor text not null,
    key text not null check (length(key) between 1 and 255),
    request_hash bytea not null,
    status smallint,
    answer jsonb,
    created_at timestamptz not null default now(),
    primary key (tenant_id, actor, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
