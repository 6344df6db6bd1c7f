-- What people keep for themselves and each other: lists that they look at again, and notes on accounts.

create table views (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    -- Whose it is; all see those that are nobody's.
    operator_id bigint,
    name text not null check (length(name) between 1 and 50),
    filter text not null check (length(filter) <= 1000),
    columns text[] not null default '{}',
    created_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique nulls not distinct (tenant_id, operator_id, name),
    foreign key (tenant_id, operator_id) references memberships (tenant_id, operator_id) on delete cascade
);

create table account_notes (
    tenant_id bigint not null,
    account_id bigint not null,
    at timestamptz not null default clock_timestamp(),
    id uuid not null default gen_random_uuid(),
    operator_id bigint not null,
    text text not null check (length(text) between 1 and 2000),
    primary key (tenant_id, account_id, at, id),
    foreign key (tenant_id, account_id) references accounts (tenant_id, id) on delete cascade
);
