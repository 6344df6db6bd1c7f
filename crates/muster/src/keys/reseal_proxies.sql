-- Exchanges secrets of proxies that are still what was read; one that was changed meanwhile stays as it was changed.
update proxies t
set password_encrypted = n.fresh
from unnest($2::bigint[], $3::bytea[], $4::bytea[]) as n (id, stale, fresh)
where t.tenant_id = $1 and t.id = n.id and t.password_encrypted = n.stale
