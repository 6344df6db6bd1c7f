-- Begins the reading of an import anew, otherwise.
update imports
set state = 'reading', options = $3, detected = '{}', notes = '[]', faults = '[]', file_encrypted = null, new_rows = 0,
    changed_rows = 0, same_rows = 0, rejected_rows = 0
where tenant_id = $1 and id = $2
