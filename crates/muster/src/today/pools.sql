-- The pools that have nothing unused, of active models with accounts on their way; those with nothing at all first.
select p.model_id as "model_id!: muster_wire::ModelId", p.model as "model!", p.pool as "pool!", p.items = 0 as "empty!"
from (
    select m.id as model_id, m.name as model, s.pool, s.place, coalesce(sum(c.items), 0) as items,
        coalesce(sum(c.items) filter (where c.used_on is null), 0) as unused
    from models m
    cross join unnest('{pfp,bio,highlight,story,post}'::text[]) with ordinality s (pool, place)
    left join counted_pools($1) c on c.model_id = m.id and (c.pool = s.pool or (c.pool = 'any' and s.pool <> 'bio'))
    where m.tenant_id = $1 and m.status = 'active' and m.total_accounts > m.active_accounts
    group by m.id, m.name, s.pool, s.place
) p
where p.unused = 0
order by 4 desc, p.model, p.place
