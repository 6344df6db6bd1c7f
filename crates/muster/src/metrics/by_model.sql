-- What happened from $3 to $4, and from $2 until then, to the accounts of each model: of at most $5, those with the most attempts
-- from $3 to $4 first, the period itself before the one before.
with counted as (
    select x.model_id, x.date >= $3 as now, sum(x.attempts)::bigint as attempts, sum(x.completed)::bigint as completed,
        sum(x.failed)::bigint as failed, sum(x.given_to_people)::bigint as given_to_people,
        sum(x.unreported)::bigint as unreported, sum(x.bot_actions)::bigint as bot_actions,
        sum(x.bot_errors)::bigint as bot_errors, sum(x.timed)::bigint as timed, sum(x.time_ms)::bigint as time_ms,
        sum(x.failed_accounts)::bigint as failed_accounts, sum(x.warmups_finished)::bigint as warmups_finished,
        sum(x.warmup_secs)::bigint as warmup_secs, sum(x.reviews_approved)::bigint as reviews_approved,
        sum(x.reviews_resumed)::bigint as reviews_resumed, sum(x.reviews_rejected)::bigint as reviews_rejected
    from models m
    cross join lateral (
        select s.model_id, s.date, s.attempts, s.completed, s.failed, s.given_to_people, s.unreported, s.bot_actions,
            s.bot_errors, s.timed, s.time_ms, 0 as failed_accounts, 0 as warmups_finished, 0 as warmup_secs,
            0 as reviews_approved, 0 as reviews_resumed, 0 as reviews_rejected
        from daily_step_metrics s
        where s.tenant_id = $1 and s.model_id = m.id and s.date between $2 and $4
        union all
        select d.model_id, d.date, 0, 0, 0, 0, 0, 0, 0, 0, 0, d.failed_accounts, d.warmups_finished, d.warmup_secs,
            d.reviews_approved, d.reviews_resumed, d.reviews_rejected
        from daily_metrics d
        where d.tenant_id = $1 and d.model_id = m.id and d.date between $2 and $4
    ) x
    where m.tenant_id = $1
    group by 1, 2
), shown as (
    select model_id, coalesce(max(attempts) filter (where now), 0) as most from counted
    group by model_id
    order by most desc, model_id
    limit $5
)
select m.id as "model_id!: muster_wire::ModelId", m.name as "model!", c.now as "now!", c.attempts as "attempts!",
    c.completed as "completed!", c.failed as "failed!", c.given_to_people as "given_to_people!",
    c.unreported as "unreported!", c.bot_actions as "bot_actions!", c.bot_errors as "bot_errors!", c.timed as "timed!",
    c.time_ms as "time_ms!", c.failed_accounts as "failed_accounts!", c.warmups_finished as "warmups_finished!",
    c.warmup_secs as "warmup_secs!", c.reviews_approved as "reviews_approved!", c.reviews_resumed as "reviews_resumed!",
    c.reviews_rejected as "reviews_rejected!"
from shown
join counted c on c.model_id = shown.model_id
join models m on m.tenant_id = $1 and m.id = shown.model_id
order by shown.most desc, shown.model_id, c.now desc
