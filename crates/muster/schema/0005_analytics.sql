-- The seed's phase 4: figures per day and model; model_id null is the tenant's total.

create table daily_metrics (
    tenant_id bigint not null references tenants (id),
    id bigint generated always as identity,
    date date not null,
    model_id bigint,
    total_accounts integer not null default 0,
    active_accounts integer not null default 0,
    warming_up_accounts integer not null default 0,
    failed_accounts integer not null default 0,
    step_1_success_rate numeric(5, 2) not null default 0,
    step_2_success_rate numeric(5, 2) not null default 0,
    step_3_success_rate numeric(5, 2) not null default 0,
    step_4_success_rate numeric(5, 2) not null default 0,
    step_5_success_rate numeric(5, 2) not null default 0,
    active_proxies integer not null default 0,
    proxy_utilization_rate numeric(5, 2) not null default 0,
    bot_actions integer not null default 0,
    bot_errors integer not null default 0,
    average_execution_time_ms integer not null default 0,
    primary key (tenant_id, id),
    unique nulls not distinct (tenant_id, date, model_id),
    foreign key (tenant_id, model_id) references models (tenant_id, id) on delete cascade
);
create index idx_daily_metrics_date on daily_metrics (tenant_id, date);
create index idx_daily_metrics_model_id on daily_metrics (tenant_id, model_id, date);
