-- The seed's phase 2: what is published.

create table model_content (
    tenant_id bigint not null,
    id bigint generated always as identity,
    model_id bigint not null,
    content_type text not null check (content_type in ('pfp', 'post', 'highlight', 'story', 'any')),
    image_url text not null check (length(image_url) between 1 and 500),
    text_content text check (length(text_content) <= 10000),
    is_template boolean not null default false,
    order_priority integer not null default 0,
    -- Steps reported with it, and how many of these were completed.
    usage_count integer not null default 0 check (usage_count >= 0),
    success_count integer not null default 0 check (success_count between 0 and usage_count),
    success_rate numeric(5, 2) not null generated always as (
        case when usage_count = 0 then 0 else round(100.0 * success_count / usage_count, 2) end) stored,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by text check (length(created_by) <= 100),
    primary key (tenant_id, id),
    foreign key (tenant_id, model_id) references models (tenant_id, id) on delete cascade
);
create index idx_model_content_model_id on model_content (tenant_id, model_id, id);
create index idx_model_content_type on model_content (tenant_id, content_type, id);
create index idx_model_content_template on model_content (tenant_id, id) where is_template;
create index idx_model_content_usage on model_content (tenant_id, usage_count, id);
-- Serves the claim: the least used of a model and type, first.
create index idx_bot_content_lookup on model_content (tenant_id, model_id, content_type, usage_count, order_priority, id);

create table text_pools (
    tenant_id bigint not null,
    id bigint generated always as identity,
    model_id bigint not null,
    content_type text not null check (content_type in ('bio', 'post', 'story', 'highlight')),
    text_content text not null check (length(text_content) between 1 and 10000),
    is_template boolean not null default false,
    usage_count integer not null default 0 check (usage_count >= 0),
    success_count integer not null default 0 check (success_count between 0 and usage_count),
    success_rate numeric(5, 2) not null generated always as (
        case when usage_count = 0 then 0 else round(100.0 * success_count / usage_count, 2) end) stored,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by text check (length(created_by) <= 100),
    primary key (tenant_id, id),
    foreign key (tenant_id, model_id) references models (tenant_id, id) on delete cascade
);
create index idx_text_pools_model_id on text_pools (tenant_id, model_id, id);
create index idx_text_pools_content_type on text_pools (tenant_id, content_type, id);
create index idx_text_pools_template on text_pools (tenant_id, id) where is_template;
create index idx_text_pools_usage on text_pools (tenant_id, usage_count, id);
create index text_pools_lookup on text_pools (tenant_id, model_id, content_type, usage_count, id);

-- Uses not yet added to usage_count: appended by reports, folded in by the server's timer, so that the most used item
-- is no hot row.
create table content_uses (
    tenant_id bigint not null,
    pool text not null check (pool in ('content', 'text')),
    item_id bigint not null,
    used integer not null,
    succeeded integer not null,
    at timestamptz not null default now()
);
create index content_uses_tenant on content_uses (tenant_id);
