-- The attempts that ended in each of the last minutes, the present one last: what is folded in, and what is not yet.
with minutes as (
    select m.at
    from generate_series(
        date_trunc('minute', now()) - make_interval(mins => $2 - 1), date_trunc('minute', now()), interval '1 minute') m (at)
), ended as (
    select m.at, c.completed, c.failed
    from minutes m
    cross join lateral (
        select completed, failed
        from attempt_counts
        where tenant_id = $1 and ended_in = m.at and bot_id = 0
        -- So that the counters are looked up for each minute, and never read whole.
        offset 0
    ) c
    union all
    select ended_in, completed, failed
    from attempt_count_changes
    where tenant_id = $1 and ended_in >= (select min(at) from minutes)
)
select m.at as "at!", coalesce(sum(e.completed), 0)::bigint as "completed!", coalesce(sum(e.failed), 0)::bigint as "failed!"
from minutes m
left join ended e on e.at = m.at
group by m.at
order by m.at
