-- The attempts that began in each of the last minutes, the present one last.
select m.at as "at!", coalesce(l.completed, 0) as "completed!", coalesce(l.failed, 0) as "failed!"
from generate_series(
    date_trunc('minute', now()) - make_interval(mins => $2 - 1), date_trunc('minute', now()), interval '1 minute') m (at)
left join (
    select date_trunc('minute', started_at) as at, count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status <> 'completed') as failed
    from warmup_step_logs
    where tenant_id = $1 and started_at >= date_trunc('minute', now()) - make_interval(mins => $2 - 1)
    group by 1
) l on l.at = m.at
order by m.at
