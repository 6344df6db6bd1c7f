-- Of each kind of backup, of drills, and of the archive of WAL where there is one: how long ago it last was good, and whether
-- the last time was.
select event as "event!", extract(epoch from now() - max(ended_at) filter (where good))::bigint as good_secs_ago,
    (array_agg(good order by started_at desc))[1] as "last_is_good!"
from backup_runs
group by event
union all
select 'archive', extract(epoch from now() - last_archived_time)::bigint,
    last_failed_time is null or coalesce(last_archived_time > last_failed_time, false)
from pg_stat_archiver
where current_setting('archive_mode') <> 'off'
