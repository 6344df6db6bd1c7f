-- Says of a server what a replica of it has to know before it is made.
select current_setting('server_version_num')::integer / 10000 as "major!",
    pg_is_in_recovery() as "is_replica!",
    current_setting('data_checksums')::boolean as "checksums!",
    array(
        select format('%s = %s', name, setting) from pg_settings
        where name in ('max_connections', 'max_locks_per_transaction', 'max_prepared_transactions', 'max_wal_senders',
            'max_worker_processes')
        order by name) as "at_least!"
