-- Gives the rejected rows of an import that begin on these lines, sealed as they stood in the file.
select line, raw_encrypted from import_rows
where tenant_id = $1 and import_id = $2 and line = any ($3::bigint[]) and verdict = 'rejected'
