-- Exchanges sessions of bots that are still what was read; one that was changed meanwhile stays as it was changed.
update bot_sessions t
set data_encrypted = n.fresh
from unnest($2::bigint[], $3::bytea[], $4::bytea[]) as n (id, stale, fresh)
where t.tenant_id = $1 and t.account_id = n.id and t.data_encrypted = n.stale
