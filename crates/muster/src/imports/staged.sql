-- Ends the reading of an import with what was found.
update imports
set state = $3, detected = $4, notes = $5,
    new_rows = $6, changed_rows = $7, same_rows = $8, rejected_rows = $9
where tenant_id = $1 and id = $2 and state = 'reading'
