-- Partitions of this month and the next that do not exist. The same for every tenant.
select parent || ' has no place for ' || to_char(month, 'YYYY-MM') as "example!", count(*) over () as "count!"
from (values ('account_state_history'), ('warmup_step_logs')) p (parent)
cross join generate_series(
    date_trunc('month', now() at time zone 'utc'),
    date_trunc('month', now() at time zone 'utc') + interval '1 month',
    interval '1 month') month
where to_regclass('public.' || parent || '_' || to_char(month, 'YYYY_MM')) is null
order by parent, month
limit $1
