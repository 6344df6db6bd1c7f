-- Sets the counters of content and texts to what the step log says, but to no less than they were where the log is not whole any
-- more, and folds in what was pending.
with logged as (
    select l.tenant_id, k.pool, k.item_id, count(*) as used, count(*) filter (where l.status = 'completed') as succeeded
    from warmup_step_logs l
    cross join lateral (values ('content', l.content_id), ('text', l.text_id)) k (pool, item_id)
    where l.completed_at is not null and k.item_id is not null
    group by 1, 2, 3
), kept as (
    select exists (select from retention) as in_part
), folded as (
    delete from content_uses
), content as (
    update model_content c
    set usage_count = greatest(coalesce(l.used, 0), case when k.in_part then c2.usage_count end),
        success_count = greatest(coalesce(l.succeeded, 0), case when k.in_part then c2.success_count end)
    from kept k
    cross join model_content c2
    left join logged l on l.tenant_id = c2.tenant_id and l.pool = 'content' and l.item_id = c2.id
    where c2.tenant_id = c.tenant_id and c2.id = c.id
        and (c.usage_count, c.success_count) <> (coalesce(l.used, 0), coalesce(l.succeeded, 0))
)
update text_pools t
set usage_count = greatest(coalesce(l.used, 0), case when k.in_part then t2.usage_count end),
    success_count = greatest(coalesce(l.succeeded, 0), case when k.in_part then t2.success_count end)
from kept k
cross join text_pools t2
left join logged l on l.tenant_id = t2.tenant_id and l.pool = 'text' and l.item_id = t2.id
where t2.tenant_id = t.tenant_id and t2.id = t.id
    and (t.usage_count, t.success_count) <> (coalesce(l.used, 0), coalesce(l.succeeded, 0))
