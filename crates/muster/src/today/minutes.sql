-- The attempts that ended in each of the last minutes, the present one last: what is folded in, and what is not yet.
select m.at as "at!", coalesce(sum(c.completed), 0)::bigint as "completed!", coalesce(sum(c.failed), 0)::bigint as "failed!"
from generate_series(
    date_trunc('minute', now()) - make_interval(mins => $2 - 1), date_trunc('minute', now()), interval '1 minute') m (at)
left join lateral (
    select completed, failed from attempt_counts where tenant_id = $1 and ended_in = m.at and bot_id = 0
    union all
    select completed, failed from attempt_count_changes where tenant_id = $1 and ended_in = m.at
) c on true
group by m.at
order by m.at
