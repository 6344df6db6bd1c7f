-- Stores the lifecycle's transitions; the table was emptied before, in the same transaction.
insert into lifecycle_transitions (event, from_state, to_state, warmup_complete)
select event, from_state, to_state, warmup_complete
from unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) as t (event, from_state, to_state, warmup_complete)
