-- Metrics by day, model and step: counts and sums, from which every rate and average is computed.

-- Which model the account had when it happened, so that counting again gives what counting then gave.
alter table warmup_step_logs add column model_id bigint;
alter table account_state_history add column model_id bigint;
-- What there is already gets the model that its account has now, over all tenants.
alter table warmup_step_logs no force row level security;
alter table account_state_history no force row level security;
alter table accounts no force row level security;
update warmup_step_logs l set model_id = a.model_id
from accounts a where a.tenant_id = l.tenant_id and a.id = l.account_id and a.model_id is not null;
update account_state_history h set model_id = a.model_id
from accounts a where a.tenant_id = h.tenant_id and a.id = h.account_id and a.model_id is not null;

-- Beside what the seed counts of a day. Accounts and proxies are as they were at counted_at, the last time on that day that
-- they were counted; null where nobody did. failed_accounts are those that were given to a person on that day.
alter table daily_metrics
    add column counted_at timestamptz,
    add column warmups_finished integer not null default 0,
    -- From the beginning of those warm-ups to their end, together.
    add column warmup_secs bigint not null default 0,
    add column reviews_approved integer not null default 0,
    add column reviews_resumed integer not null default 0,
    add column reviews_rejected integer not null default 0,
    add column proxy_places integer not null default 0,
    add column proxy_accounts integer not null default 0,
    add column proxy_monthly_cost numeric(14, 2) not null default 0;

-- The attempts that began on a day, by step; model_id null is the tenant's total.
create table daily_step_metrics (
    tenant_id bigint not null references tenants (id),
    date date not null,
    model_id bigint,
    step_number smallint not null check (step_number between 1 and 5),
    attempts integer not null,
    completed integer not null,
    failed integer not null,
    given_to_people integer not null,
    -- Of the failed: those whose lease ran out.
    unreported integer not null,
    bot_actions integer not null,
    bot_errors integer not null,
    -- Of the bots': those that say how long they took, and how long together.
    timed integer not null,
    time_ms bigint not null,
    foreign key (tenant_id, model_id) references models (tenant_id, id) on delete cascade,
    check (attempts = completed + failed + given_to_people)
);
create unique index daily_step_metrics_key on daily_step_metrics (tenant_id, model_id, date, step_number) nulls not distinct;
create index daily_step_metrics_date on daily_step_metrics (tenant_id, date);

-- Why attempts that began on a day were not completed, by step: the commonest causes, and all others as one; model_id null is
-- the tenant's total.
create table daily_failures (
    tenant_id bigint not null references tenants (id),
    date date not null,
    model_id bigint,
    step_number smallint not null check (step_number between 1 and 5),
    cause text not null check (length(cause) <= 100),
    failures integer not null,
    foreign key (tenant_id, model_id) references models (tenant_id, id) on delete cascade
);
create unique index daily_failures_key on daily_failures (tenant_id, model_id, date, step_number, cause) nulls not distinct;
create index daily_failures_date on daily_failures (tenant_id, date);

-- How far a tenant's metrics are: counted_until is when they were counted last; open_days are the days before that on which
-- an attempt began that had not ended.
create table metric_rollups (
    tenant_id bigint primary key references tenants (id),
    counted_until timestamptz,
    open_days date[] not null default '{}'
);
