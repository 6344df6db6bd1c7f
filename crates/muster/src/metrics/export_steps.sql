-- The attempts that began on a day ($2), by step: of a model ($3), or of each, and before them of all together, without a name.
select m.name as "model?", s.step_number, s.attempts, s.completed, s.failed, s.given_to_people, s.unreported, s.bot_actions,
    s.bot_errors, s.timed, s.time_ms
from daily_step_metrics s
left join models m on m.tenant_id = $1 and m.id = s.model_id
where s.tenant_id = $1 and s.date = $2 and ($3::bigint is null or s.model_id = $3)
order by s.model_id nulls first, s.step_number
