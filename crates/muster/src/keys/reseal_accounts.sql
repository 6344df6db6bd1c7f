-- Exchanges secrets of accounts that are still what was read; one that was changed meanwhile stays as it was changed.
update accounts t
set password_encrypted = case when $2 = 'password_encrypted' then n.fresh else t.password_encrypted end,
    access_token_encrypted = case when $2 = 'access_token_encrypted' then n.fresh else t.access_token_encrypted end
from unnest($3::bigint[], $4::bytea[], $5::bytea[]) as n (id, stale, fresh)
where t.tenant_id = $1 and t.id = n.id
    and case when $2 = 'password_encrypted' then t.password_encrypted else t.access_token_encrypted end = n.stale
