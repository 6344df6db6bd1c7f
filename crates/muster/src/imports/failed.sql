-- Ends the reading of an import whose file could not be read: with what it was found to be, what is wrong with it, and the file
-- where it is short enough.
update imports
set state = 'failed', detected = $3, faults = $4, file_encrypted = $5
where tenant_id = $1 and id = $2 and state = 'reading'
