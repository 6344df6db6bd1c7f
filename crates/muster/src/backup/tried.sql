-- How long ago each kind of backup, and a drill, was last begun, and last begun by one that was good.
select event as "event!", extract(epoch from now() - max(started_at))::bigint as "tried_secs_ago!",
    extract(epoch from now() - max(started_at) filter (where good))::bigint as good_secs_ago
from backup_runs
group by event
