-- Whether the segment $1, and with it every one before, is in the archive; and the last that the archive did not take.
select coalesce(last_archived_wal >= $1, false) as "done!",
    case when last_failed_time > coalesce(last_archived_time, '-infinity') then last_failed_wal end as failed
from pg_stat_archiver
