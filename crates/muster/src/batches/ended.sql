-- Says when a batch that changed something did so, in whose request, and whether it ended no longer than so many hours ago.
select request_id, created_at as begun_at, ended_at as "ended_at!",
    ended_at > now() - make_interval(hours => $3) as "lately!"
from batches
where tenant_id = $1 and id = $2 and moved > 0 and ended_at is not null
