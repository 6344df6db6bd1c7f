-- Says whether a replica has all that was written up to here.
select coalesce(pg_last_wal_receive_lsn() >= $1::text::pg_lsn, false) as "caught_up!"
