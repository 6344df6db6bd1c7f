-- Changes of many accounts that are done in parts, after a moment in which they can be taken back. What is to be done is
-- written down first, so that no restart loses it, and its progress can be seen.

create table batches (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    event text not null check (length(event) <= 50),
    -- Only accounts that are in review are meant.
    in_review boolean not null,
    reason text not null check (length(reason) between 1 and 500),
    -- Who asked for it; it is done in their name, with what they may do then.
    operator_id bigint not null,
    request_id uuid not null,
    state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'cancelled')),
    accounts bigint not null check (accounts > 0),
    moved bigint not null default 0,
    refused bigint not null default 0,
    due_at timestamptz not null,
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    primary key (tenant_id, id),
    check (moved + refused <= accounts),
    check ((ended_at is not null) = (state in ('done', 'cancelled')))
);
-- Deliberately without the tenant first: the timer looks for what is due in any tenant.
create index batches_due on batches (due_at, tenant_id) where state in ('waiting', 'running');

-- What is still to be done, and what was refused; what was done is gone from here, and in the history of its account.
create table batch_accounts (
    tenant_id bigint not null,
    batch_id bigint not null,
    account_id bigint not null,
    refusal text check (length(refusal) <= 500),
    primary key (tenant_id, batch_id, account_id),
    foreign key (tenant_id, batch_id) references batches (tenant_id, id) on delete cascade,
    foreign key (tenant_id, account_id) references accounts (tenant_id, id) on delete cascade
);
create index batch_accounts_account on batch_accounts (tenant_id, account_id);
