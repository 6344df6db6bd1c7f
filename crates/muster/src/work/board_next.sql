-- Gives, for each step, the accounts of a tenant that come next: $2 at most whose step is for bots, and as many for people.
select s.step::smallint as "step!", f.for_people as "for_people!", q.account_id as "account_id!: muster_wire::AccountId",
    -- A look-up of its own, so that no plan ever reads the accounts whole for thirty names.
    (select a.username from accounts a where a.tenant_id = $1 and a.id = q.account_id) as "username!", q.attempt as "attempt!", q.run_at as "run_at!"
from generate_series(1, 5) s (step)
cross join unnest('{true,false}'::boolean[]) f (for_people)
cross join lateral (
    select w.account_id, w.attempt, w.run_at
    from work_queue w
    where w.tenant_id = $1 and w.state = 'ready' and w.for_people = f.for_people and w.step = s.step
    order by w.run_at
    limit $2
) q
order by s.step, f.for_people desc, q.run_at
