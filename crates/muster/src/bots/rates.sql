-- What each of these bots did in so many of the last minutes.
select w.id as "bot_id!: muster_wire::BotId", coalesce(l.completed, 0) as "completed!", coalesce(l.failed, 0) as "failed!",
    l.average_ms
from unnest($2::bigint[]) w (id)
left join (
    select bot_id, count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status <> 'completed') as failed, avg(execution_time_ms)::bigint as average_ms
    from warmup_step_logs
    where tenant_id = $1 and started_at >= now() - make_interval(mins => $3) and bot_id = any ($2)
    group by bot_id
) l on l.bot_id = w.id
order by w.id
