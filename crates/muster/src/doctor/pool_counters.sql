-- Content and texts whose counters, with the uses not yet folded in, are not what the step log says; or less than that, where
-- the log is not whole any more.
with logged as (
    select k.pool, k.item_id, count(*) as used, count(*) filter (where l.status = 'completed') as succeeded
    from warmup_step_logs l
    cross join lateral (values ('content', l.content_id), ('text', l.text_id)) k (pool, item_id)
    where l.tenant_id = $1 and l.completed_at is not null and k.item_id is not null
    group by 1, 2
), pending as (
    select k.pool, k.item_id, count(*) as used, count(*) filter (where u.succeeded) as succeeded
    from content_uses n
    cross join lateral unnest(n.content_ids, n.text_ids, n.succeeded) u (content_id, text_id, succeeded)
    cross join lateral (values ('content', u.content_id), ('text', u.text_id)) k (pool, item_id)
    where n.tenant_id = $1 and k.item_id is not null
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
where case
        when exists (select from retention) then
            c.usage_count + coalesce(p.used, 0) < coalesce(l.used, 0)
            or c.success_count + coalesce(p.succeeded, 0) < coalesce(l.succeeded, 0)
        else
            (c.usage_count + coalesce(p.used, 0), c.success_count + coalesce(p.succeeded, 0))
            <> (coalesce(l.used, 0), coalesce(l.succeeded, 0))
    end
order by c.pool, c.id
limit $2
