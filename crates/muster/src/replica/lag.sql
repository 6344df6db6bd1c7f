-- Says, on the primary, how far the replica of this slot is: nothing of the connection where it does not stream.
select r.state, r.sync_state, pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint as kept_bytes,
    pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn)::bigint as lag_bytes,
    case when r.pid is not null then coalesce(extract(epoch from r.replay_lag), 0)::double precision end as lag_seconds
from pg_replication_slots s
left join pg_stat_replication r on r.pid = s.active_pid
where s.slot_name = $1
