-- The accounts of each model by state, as they are counted, models in the order of their names; those without a model last.
select c.model_id as "model_id?: muster_wire::ModelId", m.name as "model?", c.imported as "imported!",
    c.proxy_assigned as "proxy_assigned!", c.warming_up as "warming_up!", c.human_review as "human_review!",
    c.ready as "ready!", c.active as "active!", c.cleanup as "cleanup!"
from (
    select k.model_id, coalesce(sum(k.accounts) filter (where k.lifecycle_state = 'imported'), 0)::bigint as imported,
        coalesce(sum(k.accounts) filter (where k.lifecycle_state = 'proxy_assigned'), 0)::bigint as proxy_assigned,
        coalesce(sum(k.accounts) filter (where k.lifecycle_state = 'warming_up'), 0)::bigint as warming_up,
        coalesce(sum(k.accounts) filter (where k.lifecycle_state = 'human_review'), 0)::bigint as human_review,
        coalesce(sum(k.accounts) filter (where k.lifecycle_state = 'ready'), 0)::bigint as ready,
        coalesce(sum(k.accounts) filter (where k.lifecycle_state = 'active'), 0)::bigint as active,
        coalesce(sum(k.accounts) filter (where k.lifecycle_state = 'cleanup'), 0)::bigint as cleanup
    from counted_accounts($1) k
    group by k.model_id
    having sum(k.accounts) > 0
) c
left join models m on m.tenant_id = $1 and m.id = c.model_id
order by m.name nulls last
