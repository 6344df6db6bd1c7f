-- Says how far this server has replayed the WAL of another, and whose that is; no row where it does not.
select s.system_identifier as "system!", c.timeline_id::bigint as "timeline!",
    pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint as "at!"
from pg_control_system() s
cross join pg_control_checkpoint() c
where pg_is_in_recovery() and pg_last_wal_replay_lsn() is not null
