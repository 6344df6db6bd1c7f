-- What goes on now, without reading through all that is leased and all that was done.

-- Of a tenant first: what it has leased is shown in the order in which that ends. The reaper looks into each tenant.
drop index work_queue_leased;
create index work_queue_leased on work_queue (tenant_id, leased_until) where state = 'leased';

-- What a bot holds: asked for when it begins again, for each picture that it fetches, when bots are listed, and when one is deleted.
-- Leases of the past come first, so that those that died there are not looked through. Of what is leased, and nothing else, it is known
-- until when: said so here and where it is asked, no statement is planned with the index above, by which all leases would be looked
-- through.
create index work_queue_holder on work_queue (tenant_id, bot_id, leased_until) where leased_until is not null;

-- The attempts of a bot that went wrong, among those of all the others.
create index warmup_logs_failed_of_bot on warmup_step_logs (tenant_id, bot_id, started_at) where status <> 'completed';

-- The attempts that ended in each minute of the last hour: of each bot, and as bot 0 of all, people's and those that nobody reported
-- included. But for what is not folded in yet.
create table attempt_counts (
    tenant_id bigint not null,
    ended_in timestamptz not null,
    bot_id bigint not null,
    completed bigint not null,
    failed bigint not null,
    -- Of how many it is known how long they took, and how long that was in all.
    timed bigint not null,
    time_ms bigint not null,
    primary key (tenant_id, ended_in, bot_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- Appended by each statement that ends attempts, folded in by the server's timer, so that no counter is a hot row. Null is no bot.
create table attempt_count_changes (
    tenant_id bigint not null,
    ended_in timestamptz not null,
    bot_id bigint,
    completed bigint not null,
    failed bigint not null,
    timed bigint not null,
    time_ms bigint not null
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index attempt_count_changes_tenant on attempt_count_changes (tenant_id);
