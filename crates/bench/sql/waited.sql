-- How long steps of tenant $1 were ready before they were claimed, in milliseconds, where they were claimed from $4 to $5, in seconds
-- since 1970: how many there are, the median, the 99th and the 99.9th of a hundred, and the most. A first step is ready as
-- schedule.sql has it, from $2 on, $3 a second; a later one when the one before it is completed.
select count, p[1], p[2], p[3], p[4]
from (
    select percentile_disc('{0.5,0.99,0.999,1}'::float8[]) within group (order by w.ms) as p, count(*) as count
    from (
        select l.started_at,
            extract(epoch from l.started_at - coalesce(
                lag(l.completed_at) over (partition by l.account_id order by l.lease),
                to_timestamp($2 + l.account_id / $3)))::float8 * 1000 as ms
        from warmup_step_logs l
        where l.tenant_id = $1
    ) w
    where w.started_at between to_timestamp($4) and to_timestamp($5)
) s
