-- Stores the new texts of a staged import.
insert into text_pools (tenant_id, id, model_id, content_type, text_content, is_template, created_by)
overriding system value
select $1, r.target_id, m.id, r.data ->> 'content_type', r.data ->> 'text_content', (r.data ->> 'is_template')::boolean, $3
from import_rows r
join models m on m.tenant_id = $1 and m.name = r.data ->> 'model'
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new'
order by r.line
