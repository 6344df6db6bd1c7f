-- How long steps of tenant $1 were ready before a claim began that leased them, in milliseconds, for those leased from $2 to $3,
-- in seconds since 1970: how many there are, the median, the 99th of a hundred, the 999th of a thousand, and the most. A first step
-- is ready as it was scheduled, a later one when the one before it is completed.
select w.count, w.p[1], w.p[2], w.p[3], w.p[4]
from (
    select count(*), percentile_disc('{0.5,0.99,0.999,1}'::float8[]) within group (order by s.ms) as p
    from (
        select l.started_at, extract(epoch from l.started_at - coalesce(
            lag(l.completed_at) over (partition by l.account_id order by l.lease), s.run_at))::float8 * 1000 as ms
        from warmup_step_logs l
        join bench.scheduled s on s.account_id = l.account_id
        where l.tenant_id = $1
    ) s
    where s.started_at >= to_timestamp($2) and s.started_at < to_timestamp($3)
) w
where w.count > 0
