-- Forgets the rows of an import that begin on these lines.
delete from import_rows where tenant_id = $1 and import_id = $2 and line = any ($3::bigint[])
