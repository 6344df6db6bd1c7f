-- The accounts of each model by state, models in the order of their names; accounts without a model last.
select c.model_id as "model_id?: muster_wire::ModelId", m.name as "model?", c.imported as "imported!",
    c.proxy_assigned as "proxy_assigned!", c.warming_up as "warming_up!", c.human_review as "human_review!",
    c.ready as "ready!", c.active as "active!", c.cleanup as "cleanup!"
from (
    select model_id, count(*) filter (where lifecycle_state = 'imported') as imported,
        count(*) filter (where lifecycle_state = 'proxy_assigned') as proxy_assigned,
        count(*) filter (where lifecycle_state = 'warming_up') as warming_up,
        count(*) filter (where lifecycle_state = 'human_review') as human_review,
        count(*) filter (where lifecycle_state = 'ready') as ready,
        count(*) filter (where lifecycle_state = 'active') as active,
        count(*) filter (where lifecycle_state = 'cleanup') as cleanup
    from accounts where tenant_id = $1
    group by model_id
) c
left join models m on m.tenant_id = $1 and m.id = c.model_id
order by m.name nulls last
