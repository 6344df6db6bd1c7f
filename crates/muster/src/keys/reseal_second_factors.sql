-- Exchanges secrets of second factors that are still what was read; one that was changed meanwhile stays as it was changed.
update second_factors t
set secret_encrypted = n.fresh
from unnest($2::bigint[], $3::bytea[], $4::bytea[]) as n (id, stale, fresh)
where t.tenant_id = $1 and t.operator_id = n.id and t.secret_encrypted = n.stale
