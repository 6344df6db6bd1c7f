-- The pools that have nothing unused, of active models with accounts on their way; those with nothing at all first.
select m.id as "model_id!: muster_wire::ModelId", m.name as "model!", p.pool as "pool!",
    case p.pool
        when 'bio' then not exists (
            select from text_pools t where t.tenant_id = $1 and t.model_id = m.id and t.content_type = 'bio')
        else not exists (
            select from model_content c
            where c.tenant_id = $1 and c.model_id = m.id and c.content_type in (p.pool, 'any'))
    end as "empty!"
from models m
cross join unnest('{pfp,bio,highlight,story,post}'::text[]) with ordinality p (pool, place)
where m.tenant_id = $1 and m.status = 'active' and m.total_accounts > m.active_accounts
    and case p.pool
        when 'bio' then not exists (
            select from text_pools t
            where t.tenant_id = $1 and t.model_id = m.id and t.content_type = 'bio' and t.usage_count = 0)
        else not exists (
            select from model_content c
            where c.tenant_id = $1 and c.model_id = m.id and c.content_type in (p.pool, 'any') and c.usage_count = 0)
    end
order by 4 desc, m.name, p.place
