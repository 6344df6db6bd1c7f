-- Gives the lines of this import that have these keys already: the same thing twice in one file.
select key as "key!", min(line) as "line!"
from import_rows
where tenant_id = $1 and import_id = $2 and key = any ($3::text[])
group by key
