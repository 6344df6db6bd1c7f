-- Ends every other client of this server, so that those who come back find it read-only; gives how many there were.
select count(*) filter (where pg_terminate_backend(pid)) as "ended!"
from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid()
