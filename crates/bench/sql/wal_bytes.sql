-- How much write-ahead log has been written since the cluster was made.
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
