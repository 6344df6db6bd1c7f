-- Gives those of these keys that good rows of an import have, each with its line.
select key as "key!", min(line) as "line!" from import_rows
where tenant_id = $1 and import_id = $2 and key = any ($3::text[]) and verdict <> 'rejected'
group by key
