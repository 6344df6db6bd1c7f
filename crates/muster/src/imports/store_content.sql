-- Stores the new content of a staged import. The name of a model is taken out first:
-- row-level security finds a key by a value, and by no expression.
insert into model_content (
    tenant_id, id, model_id, content_type, image_url, text_content, is_template, order_priority, created_by)
overriding system value
select $1, r.target_id, m.id, r.data ->> 'content_type', r.data ->> 'image_url', r.data ->> 'text_content',
    (r.data ->> 'is_template')::boolean, (r.data ->> 'order_priority')::integer, $3
from import_rows r
cross join lateral (select r.data ->> 'model' as model offset 0) n
join models m on m.tenant_id = $1 and m.name = n.model
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new'
order by r.line
