-- Exchanges secrets of imports' rows that are still what was read; one that was changed meanwhile stays as it is.
update import_rows t
set password_encrypted = case when $2 = 'password_encrypted' then n.fresh else t.password_encrypted end,
    access_token_encrypted = case when $2 = 'access_token_encrypted' then n.fresh else t.access_token_encrypted end,
    raw_encrypted = case when $2 = 'raw_encrypted' then n.fresh else t.raw_encrypted end,
    before_password_encrypted =
        case when $2 = 'before_password_encrypted' then n.fresh else t.before_password_encrypted end,
    before_access_token_encrypted =
        case when $2 = 'before_access_token_encrypted' then n.fresh else t.before_access_token_encrypted end
from unnest($3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[]) as n (import_id, line, stale, fresh)
where t.tenant_id = $1 and t.import_id = n.import_id and t.line = n.line
    and case $2
        when 'password_encrypted' then t.password_encrypted
        when 'access_token_encrypted' then t.access_token_encrypted
        when 'raw_encrypted' then t.raw_encrypted
        when 'before_password_encrypted' then t.before_password_encrypted
        when 'before_access_token_encrypted' then t.before_access_token_encrypted
    end = n.stale
