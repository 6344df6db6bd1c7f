-- How many accounts there are of a state, a status and a model; null counts any, and -1 those without a model.
select coalesce(sum(c.accounts), 0)::bigint as "count!"
from (
    select model_id, lifecycle_state, status, accounts from account_counts where tenant_id = $1
    union all
    select model_id, lifecycle_state, status, change from account_count_changes where tenant_id = $1
) c
where ($2::text is null or c.lifecycle_state = $2) and ($3::text is null or c.status = $3)
    and ($4::bigint is null or c.model_id is not distinct from nullif($4, -1))
