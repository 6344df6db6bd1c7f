-- Gives the next rejected rows of an import, sealed as they stood in the file.
select line, raw_encrypted from import_rows
where tenant_id = $1 and import_id = $2 and verdict = 'rejected' and line > $3
order by line
limit $4
