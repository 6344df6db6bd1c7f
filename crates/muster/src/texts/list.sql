-- Gives texts after a key, in the order of their ids.
select
    t.id as "id: muster_wire::TextId", t.model_id as "model_id: muster_wire::ModelId", m.name as model,
    t.content_type as "content_type: muster_wire::texts::TextType", t.text_content, t.is_template,
    t.usage_count, t.success_rate as "success_rate!", t.last_used_at, t.created_at, t.created_by,
    t.xmin::text::bigint as "version!"
from text_pools t join models m on m.tenant_id = t.tenant_id and m.id = t.model_id
where t.tenant_id = $1 and t.id > $2
    and ($3::bigint is null or t.model_id = $3)
    and ($4::text is null or t.content_type = $4)
    and ($5::boolean is null or t.is_template = $5)
    and ($6::boolean is null or (t.usage_count = 0) = $6)
    and ($7::text is null or position(lower($7) in lower(t.text_content)) > 0)
    and ($8::boolean is null or $8 = (t.id = any (array(
        select unnest(array_agg(d.id)) from text_pools d where d.tenant_id = $1
        group by d.model_id, d.content_type, d.text_content having count(*) > 1))))
order by t.id
limit $9
