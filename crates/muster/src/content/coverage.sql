-- What each of these models ($2) has in its pools, how much of it was never used, and how much was on this day and the seven before.
-- The least used is handed out first, so that what was used lately is what was used up.
select m.id as "model_id!: muster_wire::ModelId", m.name as "model!", p.pool as "pool!", coalesce(i.items, 0) as "items!",
    coalesce(i.unused, 0) as "unused!", coalesce(i.used_last_week, 0) as "used_last_week!", coalesce(i.uses, 0) as "uses!",
    coalesce(i.completed, 0) as "completed!"
from models m
cross join unnest('{pfp,bio,highlight,story,post,any}'::text[]) with ordinality p (pool, place)
left join (
    select model_id, pool, sum(items)::bigint as items, sum(items) filter (where used_on is null)::bigint as unused,
        sum(items) filter (where used_on > '-infinity')::bigint as used_last_week, sum(uses)::bigint as uses,
        sum(completed)::bigint as completed
    from counted_pools($1)
    where model_id = any ($2)
    group by model_id, pool
) i on i.model_id = m.id and i.pool = p.pool
where m.tenant_id = $1 and m.id = any ($2)
order by m.id, p.place
