-- Content and texts whose counters, with the uses not yet folded in, are not what the step log says.
with logged as (
    select k.pool, (l.content_used ->> k.pool)::bigint as item_id, count(*) as used,
        count(*) filter (where l.status = 'completed') as succeeded
    from warmup_step_logs l cross join (values ('content'), ('text')) k (pool)
    where l.tenant_id = $1 and l.completed_at is not null and l.content_used ->> k.pool is not null
    group by 1, 2
), pending as (
    select u.pool, u.item_id, sum(u.used) as used, sum(u.succeeded) as succeeded
    from content_uses u
    where u.tenant_id = $1
    group by 1, 2
), counted as (
    select 'content' as pool, c.id, c.usage_count, c.success_count from model_content c where c.tenant_id = $1
    union all
    select 'text', t.id, t.usage_count, t.success_count from text_pools t where t.tenant_id = $1
)
select c.pool || ' ' || c.id || ': counters say ' || c.usage_count + coalesce(p.used, 0) || ' uses, '
        || c.success_count + coalesce(p.succeeded, 0) || ' completed; the step log says ' || coalesce(l.used, 0) || ', '
        || coalesce(l.succeeded, 0) as "example!",
    count(*) over () as "count!"
from counted c
left join pending p on p.pool = c.pool and p.item_id = c.id
left join logged l on l.pool = c.pool and l.item_id = c.id
where (c.usage_count + coalesce(p.used, 0), c.success_count + coalesce(p.succeeded, 0))
    <> (coalesce(l.used, 0), coalesce(l.succeeded, 0))
order by c.pool, c.id
limit $2
