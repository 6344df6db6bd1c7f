-- What each of these models ($2) has in its pools, how much of it was never used, and how much was in the last week. The
-- least used is handed out first, so that what was used lately is what was used up.
select m.id as "model_id!: muster_wire::ModelId", m.name as "model!", p.pool as "pool!", coalesce(i.items, 0) as "items!",
    coalesce(i.unused, 0) as "unused!", coalesce(i.used_last_week, 0) as "used_last_week!", coalesce(i.uses, 0) as "uses!",
    coalesce(i.completed, 0) as "completed!"
from models m
cross join unnest('{pfp,bio,highlight,story,post,any}'::text[]) with ordinality p (pool, place)
left join (
    select s.model_id, s.pool, count(*) as items, count(*) filter (where s.usage_count = 0) as unused,
        count(*) filter (where s.last_used_at >= now() - interval '7 days') as used_last_week,
        sum(s.usage_count) as uses, sum(s.success_count) as completed
    from (
        select model_id, content_type as pool, usage_count, success_count, last_used_at
        from model_content where tenant_id = $1 and model_id = any ($2)
        union all
        select model_id, content_type, usage_count, success_count, last_used_at
        from text_pools where tenant_id = $1 and model_id = any ($2) and content_type = 'bio'
    ) s
    group by s.model_id, s.pool
) i on i.model_id = m.id and i.pool = p.pool
where m.tenant_id = $1 and m.id = any ($2)
order by m.id, p.place
