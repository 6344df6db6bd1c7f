-- Says where the WAL of this server ends, and whose it is. An error where it takes no writes.
select system_identifier as "system!", ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint as "timeline!",
    pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as "at!"
from pg_control_system()
