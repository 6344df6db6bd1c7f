-- Exchanges the files of imports that are still what was read; one that was changed meanwhile stays as it is.
update imports t
set file_encrypted = n.fresh
from unnest($2::bigint[], $3::bytea[], $4::bytea[]) as n (id, stale, fresh)
where t.tenant_id = $1 and t.id = n.id and t.file_encrypted = n.stale
