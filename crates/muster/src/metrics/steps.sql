-- The attempts that began on each day from $2 to $3, by step: of a model ($4), or of all.
select s.date, s.step_number, s.attempts, s.completed, s.failed, s.given_to_people, s.unreported, s.bot_actions,
    s.bot_errors, s.timed, s.time_ms
from daily_step_metrics s
where s.tenant_id = $1 and s.date between $2 and $3
    and case when $4::bigint is null then s.model_id is null else s.model_id = $4 end
order by s.date, s.step_number
