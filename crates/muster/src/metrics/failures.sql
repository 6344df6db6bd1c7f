-- Why attempts that began from $2 to $3 failed, by step, the commonest causes first, at most $5: of a model ($4), or of all.
select f.step_number, f.cause, sum(f.failures)::bigint as "failures!"
from daily_failures f
where f.tenant_id = $1 and f.date between $2 and $3
    and case when $4::bigint is null then f.model_id is null else f.model_id = $4 end
group by f.step_number, f.cause
order by 3 desc, f.step_number, f.cause
limit $5
