-- Forgets the rows of an import that will not be committed.
delete from import_rows where tenant_id = $1 and import_id = $2
