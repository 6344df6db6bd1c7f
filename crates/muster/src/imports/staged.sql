-- Ends the reading of an import with what was found, and keeps the file where it is short enough.
update imports
set state = 'staged', detected = $3, notes = $4, new_rows = $5, changed_rows = $6, same_rows = $7, rejected_rows = $8,
    file_encrypted = $9
where tenant_id = $1 and id = $2 and state = 'reading'
