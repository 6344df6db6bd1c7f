-- Settings of the server with which acknowledged work could be lost. The same for every tenant.
select name || ' is off' as "example!", count(*) over () as "count!"
from pg_settings
where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
order by name
limit $1
