-- Gives these items of content, in the order of their ids.
select
    c.id as "id: muster_wire::ContentId", c.model_id as "model_id: muster_wire::ModelId", m.name as model,
    c.content_type as "content_type: muster_wire::content::ContentType", c.image_url, c.text_content, c.is_template,
    c.order_priority, c.usage_count, c.success_rate as "success_rate!", c.last_used_at, c.created_at, c.created_by,
    c.xmin::text::bigint as "version!"
from model_content c join models m on m.tenant_id = c.tenant_id and m.id = c.model_id
where c.tenant_id = $1 and c.id = any ($2)
order by c.id
