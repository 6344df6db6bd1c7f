-- Imports that began to be read over an hour ago and never ended.
select 'import ' || id || ': being read since ' || to_char(created_at at time zone 'utc', 'YYYY-MM-DD HH24:MI') || ' UTC'
        as "example!",
    count(*) over () as "count!"
from imports
where tenant_id = $1 and state = 'reading' and created_at < now() - interval '1 hour'
order by id
limit $2
