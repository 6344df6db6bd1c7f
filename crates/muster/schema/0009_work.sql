-- Work at speed: what changes at each step is written once, in the narrow row of the queue, and not in the wide one of the
-- account too; fewer indexes to write at each step; uses noted once per report rather than per item.

-- How far an account is with its warm-up, and who worked on it last, moves to the queue. The row of the queue stays when
-- its work is done, so that these stay known.
alter table work_queue add column last_bot_action_by text check (length(last_bot_action_by) <= 50);
alter table work_queue add column last_bot_action_at timestamptz;
alter table work_queue no force row level security;
alter table accounts no force row level security;
insert into work_queue as q (
    tenant_id, account_id, model_id, step, state, authorised_until, attempt, last_bot_action_by, last_bot_action_at)
select tenant_id, id, model_id, warmup_step, 'idle', '-infinity', retry_count, last_bot_action_by, last_bot_action_at
from accounts where warmup_step is not null
on conflict (tenant_id, account_id) do update
set attempt = excluded.attempt, last_bot_action_by = excluded.last_bot_action_by,
    last_bot_action_at = excluded.last_bot_action_at;
alter table accounts drop constraint check_state_has_step;
alter table accounts drop column warmup_step, drop column retry_count, drop column last_bot_action_by,
    drop column last_bot_action_at;
alter table accounts add constraint check_state_has_step check (
    lifecycle_state <> 'warming_up' or (warmup_started_at is not null and warmup_completed_at is null));

-- What a step published is two columns: making JSON of them cost a quarter of writing the log.
alter table warmup_step_logs add column content_id bigint, add column text_id bigint;
alter table warmup_step_logs no force row level security;
update warmup_step_logs
set content_id = (content_used ->> 'content')::bigint, text_id = (content_used ->> 'text')::bigint
where content_used is not null;
alter table warmup_step_logs drop column content_used;

-- Which accounts of a model wait for something in its pools. That a model's accounts are in the queue at all is found by
-- accounts: an index of it here was written twice a step.
drop index work_queue_model;
create index work_queue_held on work_queue (tenant_id, model_id) where state = 'held';

-- What is noted and not yet counted is counted here, over all tenants, since the table is made anew.
alter table content_uses no force row level security;
alter table model_content no force row level security;
alter table text_pools no force row level security;
update model_content c
set usage_count = c.usage_count + u.used, success_count = c.success_count + u.succeeded,
    last_used_at = greatest(c.last_used_at, u.at)
from (
    select tenant_id, item_id, sum(used) as used, sum(succeeded) as succeeded, max(at) as at
    from content_uses where pool = 'content' group by 1, 2
) u
where c.tenant_id = u.tenant_id and c.id = u.item_id;
update text_pools t
set usage_count = t.usage_count + u.used, success_count = t.success_count + u.succeeded,
    last_used_at = greatest(t.last_used_at, u.at)
from (
    select tenant_id, item_id, sum(used) as used, sum(succeeded) as succeeded, max(at) as at
    from content_uses where pool = 'text' group by 1, 2
) u
where t.tenant_id = u.tenant_id and t.id = u.item_id;
drop table content_uses;

-- Uses not yet added to usage_count: one row per report, with one element of each array per step reported; folded in by
-- the server's timer, so that the most used item is no hot row.
create table content_uses (
    tenant_id bigint not null,
    at timestamptz not null default now(),
    content_ids bigint[] not null,
    text_ids bigint[] not null,
    succeeded boolean[] not null
);
create index content_uses_tenant on content_uses (tenant_id);
