-- Counts, for each step, the accounts of a tenant whose step is due, for bots and for people, and those that are to be tried
-- later; each no further than $2.
select s.step::smallint as "step!",
    (
        select count(*)
        from (
            select from work_queue
            where tenant_id = $1 and state = 'ready' and not for_people and step = s.step and run_at <= now() limit $2
        ) q
    ) as "due_for_bots!",
    (
        select count(*)
        from (
            select from work_queue
            where tenant_id = $1 and state = 'ready' and for_people and step = s.step and run_at <= now() limit $2
        ) q
    ) as "due_for_people!",
    (
        select least(count(*), $2)
        from unnest('{false,true}'::boolean[]) f (for_people)
        cross join lateral (
            select from work_queue w
            where w.tenant_id = $1 and w.state = 'ready' and w.for_people = f.for_people and w.step = s.step
                and w.run_at > now()
            limit $2
        ) q
    ) as "later!"
from generate_series(1, 5) s (step)
order by s.step
