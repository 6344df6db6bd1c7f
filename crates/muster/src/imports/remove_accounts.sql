-- Removes the accounts that an import made, where they are as it made them and have not entered the lifecycle.
delete from accounts a
using import_rows r
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new' and a.tenant_id = $1 and a.id = r.target_id
    and a.lifecycle_state = 'imported' and fields_hold(account_fields(a), r.data)
