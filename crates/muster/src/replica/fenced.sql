-- Says of a server that is fenced off whether nobody else works on it any more, and up to where it has written.
select not exists (
        select from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid() and backend_xid is not null) as "quiet!",
    current_setting('transaction_read_only')::boolean as "read_only!",
    pg_current_wal_flush_lsn()::text as "written!"
