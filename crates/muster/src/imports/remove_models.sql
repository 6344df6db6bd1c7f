-- Removes the models that an import made, where they are as it made them and nothing belongs to them.
delete from models m
using import_rows r
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new' and m.tenant_id = $1 and m.id = r.target_id
    and m.total_accounts = 0
    and not exists (select from model_content c where c.tenant_id = $1 and c.model_id = m.id)
    and not exists (select from text_pools t where t.tenant_id = $1 and t.model_id = m.id) and fields_hold(model_fields(m), r.data)
