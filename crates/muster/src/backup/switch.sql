-- Ends the segment of WAL that is being written, so that it is archived now; gives its name.
select pg_walfile_name(pg_switch_wal()) as "segment!"
