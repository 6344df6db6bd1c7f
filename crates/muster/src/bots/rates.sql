-- What each of these bots, which are between $4 and $5, did in the last $3 minutes, the present one included: what is folded in, and
-- what is not yet.
select w.id as "bot_id!: muster_wire::BotId", coalesce(c.completed, 0) as "completed!", coalesce(c.failed, 0) as "failed!",
    c.average_ms
from unnest($2::bigint[]) w (id)
left join (
    select c.bot_id, sum(c.completed)::bigint as completed, sum(c.failed)::bigint as failed,
        (sum(c.time_ms) / nullif(sum(c.timed), 0))::bigint as average_ms
    from (
        -- Bots of a page are neighbours, in the counters as in their list.
        select c.bot_id, c.completed, c.failed, c.timed, c.time_ms
        from generate_series(
            date_trunc('minute', now()) - make_interval(mins => $3 - 1), date_trunc('minute', now()), interval '1 minute') m (at)
        cross join lateral (
            select a.bot_id, a.completed, a.failed, a.timed, a.time_ms
            from attempt_counts a
            where a.tenant_id = $1 and a.ended_in = m.at and a.bot_id between $4 and $5
            -- So that the counters are looked up for each minute, and never read whole.
            offset 0
        ) c
        union all
        select bot_id, completed, failed, timed, time_ms
        from attempt_count_changes
        where tenant_id = $1 and ended_in > date_trunc('minute', now()) - make_interval(mins => $3) and bot_id between $4 and $5
    ) c
    group by c.bot_id
) c on c.bot_id = w.id
order by w.id
