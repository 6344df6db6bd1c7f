-- The counters of accounts. What changes them is appended by the triggers of accounts.

-- Folds the changes of a tenant into its counters; gives how many counters were changed.
create or replace function fold_account_counts(p_tenant bigint) returns integer language plpgsql as
$$
declare
    v_folded integer;
begin
    with changes as (
        delete from account_count_changes where tenant_id = p_tenant returning model_id, lifecycle_state, status, change
    )
    insert into account_counts as c (tenant_id, model_id, lifecycle_state, status, accounts)
    select p_tenant, model_id, lifecycle_state, status, sum(change)
    from changes group by 2, 3, 4 having sum(change) <> 0
    -- In one order, always: two that fold at once wait for each other and do not deadlock.
    order by 2, 3, 4
    on conflict (tenant_id, model_id, lifecycle_state, status) do update set accounts = c.accounts + excluded.accounts;
    get diagnostics v_folded = row_count;
    return v_folded;
end
$$;

-- How many accounts of each kind there are, in parts to be added up: what is folded in, and what is not yet.
create or replace function counted_accounts(p_tenant bigint)
    returns table (model_id bigint, lifecycle_state text, status text, accounts bigint) language sql stable as
$$
    select model_id, lifecycle_state, status, accounts from account_counts where tenant_id = p_tenant
    union all
    select model_id, lifecycle_state, status, change from account_count_changes where tenant_id = p_tenant
$$;
