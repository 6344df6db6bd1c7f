-- How many connections of the server to this database are at work now.
select count(*) from pg_stat_activity
where datname = current_database() and usename in ('muster_app', 'muster_scheduler') and state <> 'idle'
