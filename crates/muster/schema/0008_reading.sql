-- What keeps reading as quick for a million accounts as for ten thousand.

-- How many accounts there are of each kind, but for what is not folded in yet.
create table account_counts (
    tenant_id bigint not null,
    model_id bigint,
    lifecycle_state text not null,
    status text not null,
    accounts bigint not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create unique index account_counts_kind on account_counts (tenant_id, model_id, lifecycle_state, status) nulls not distinct;

-- Appended by each statement that changes how many there are, folded in by the server's timer, so that no counter is a
-- hot row.
create table account_count_changes (
    tenant_id bigint not null,
    model_id bigint,
    lifecycle_state text not null,
    status text not null,
    change bigint not null
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index account_count_changes_tenant on account_count_changes (tenant_id);

-- What there is already. The owner sees the accounts of one tenant at a time.
do
$$
declare
    tenant bigint;
begin
    for tenant in select id from tenants loop
        perform set_config('muster.tenant_id', tenant::text, true);
        insert into account_counts (tenant_id, model_id, lifecycle_state, status, accounts)
        select tenant_id, model_id, lifecycle_state, status, count(*) from accounts where tenant_id = tenant group by 1, 2, 3, 4;
    end loop;
    perform set_config('muster.tenant_id', '', true);
end
$$;

-- So that the index of user names serves what they begin with, whatever the database's own order is.
alter table accounts alter column username type text collate "C";

-- Accounts of a state come in the order in which they came to it, but for the imported, which come in that of their ids.
-- Each account is in one of the two.
drop index idx_accounts_lifecycle_state;
create index idx_accounts_lifecycle_state on accounts (tenant_id, lifecycle_state, state_changed_at, id)
    where lifecycle_state <> 'imported';
create index accounts_imported on accounts (tenant_id, id) include (state_changed_at) where lifecycle_state = 'imported';
drop index idx_accounts_dashboard;
create index idx_accounts_dashboard on accounts (tenant_id, model_id, lifecycle_state, state_changed_at, id);
drop index accounts_authorisation;
create index accounts_authorisation on accounts (tenant_id, authorisation_expires_at, id)
    where authorisation_expires_at is not null;

-- The proxies without a place left, as many as they may be, without reading the others.
create index proxies_full on proxies (tenant_id, id) where status = 'active' and account_count >= max_accounts;

-- What asks for a change to a state asks for an account's, or for a time's: this index served neither, was written at each
-- change, and was taken by the planner for those of one account.
drop index idx_state_history_to_state;
