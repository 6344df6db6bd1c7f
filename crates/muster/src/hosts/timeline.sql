-- Says on which timeline this server writes; nothing where it takes no writes.
select case
    when current_setting('transaction_read_only')::boolean then null
    else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
end as timeline
