-- Says whether a batch changed something and ended no longer than so many hours ago.
select coalesce(moved > 0 and ended_at > now() - make_interval(hours => $3), false) as "undoable!" from batches where tenant_id = $1 and id = $2
