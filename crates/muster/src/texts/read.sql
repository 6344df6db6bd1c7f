-- Gives these texts, in the order of their ids.
select
    t.id as "id: muster_wire::TextId", t.model_id as "model_id: muster_wire::ModelId", m.name as model,
    t.content_type as "content_type: muster_wire::texts::TextType", t.text_content, t.is_template,
    t.usage_count, t.success_rate as "success_rate!", t.last_used_at, t.created_at, t.created_by,
    t.xmin::text::bigint as "version!"
from text_pools t join models m on m.tenant_id = t.tenant_id and m.id = t.model_id
where t.tenant_id = $1 and t.id = any ($2)
order by t.id
