-- How many accounts there are of a state, a status and a model; null counts any, and -1 those without a model.
select coalesce(sum(c.accounts), 0)::bigint as "count!"
from counted_accounts($1) c
where ($2::text is null or c.lifecycle_state = $2) and ($3::text is null or c.status = $3)
    and ($4::bigint is null or c.model_id is not distinct from nullif($4, -1))
