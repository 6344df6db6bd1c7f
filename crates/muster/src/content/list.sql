-- Gives content after a key, in the order of their ids.
select
    c.id as "id: muster_wire::ContentId", c.model_id as "model_id: muster_wire::ModelId", m.name as model,
    c.content_type as "content_type: muster_wire::content::ContentType", c.image_url, c.text_content, c.is_template,
    c.order_priority, c.usage_count, c.success_rate as "success_rate!", c.last_used_at, c.created_at, c.created_by,
    c.xmin::text::bigint as "version!"
from model_content c join models m on m.tenant_id = c.tenant_id and m.id = c.model_id
where c.tenant_id = $1 and c.id > $2
    and ($3::bigint is null or c.model_id = $3)
    and ($4::text is null or c.content_type = $4)
    and ($5::boolean is null or c.is_template = $5)
    and ($6::boolean is null or (c.usage_count = 0) = $6)
    and ($7::text is null or position(lower($7) in lower(c.text_content)) > 0
        or position(lower($7) in lower(c.image_url)) > 0)
    and ($8::boolean is null or $8 = (c.id = any (array(
        select unnest(array_agg(d.id)) from model_content d where d.tenant_id = $1
        group by d.model_id, d.content_type, d.image_url having count(*) > 1))))
order by c.id
limit $9
