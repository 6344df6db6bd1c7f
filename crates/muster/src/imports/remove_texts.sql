-- Removes the texts that an import made, where they are as it made them and no step has used them.
delete from text_pools t
using import_rows r
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new' and t.tenant_id = $1 and t.id = r.target_id
    and t.usage_count = 0 and fields_hold(text_fields(t), r.data)
