-- Removes the content that an import made, where they are as it made them and no step has used them.
delete from model_content c
using import_rows r
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new' and c.tenant_id = $1 and c.id = r.target_id
    and c.usage_count = 0 and fields_hold(content_fields(c), r.data)
