-- Says, on a replica, whether it still is one, and how far it is by itself.
select pg_is_in_recovery() as "is_replica!",
    coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::bigint as "unreplayed_bytes!",
    pg_last_xact_replay_timestamp() as replayed_until
