-- Walks secrets of one column from after a key, so many rows at most: gives those that are not sealed by the current version, each
-- with the place it was sealed for, and the row that was walked last where that is as far as it goes. An import's rows hold secrets
-- that are sealed for the place where they will be stored, or were.
select w.a as "a!", w.b as "b!", w.place_table as "place_table!", w.place_column as "place_column!",
    w.place_row as "place_row!", case when w.stale then w.sealed end as "sealed?"
from (
    select s.*, row_number() over (order by s.a, s.b) as walked,
        coalesce(substring(s.sealed from 3 for 4) <> $4, false) as stale
    from (
        (select a.id as a, 0::bigint as b, 'accounts' as place_table, $3 as place_column, a.id::text as place_row,
            case $3 when 'password_encrypted' then a.password_encrypted else a.access_token_encrypted end as sealed
        from accounts a
        where $2 = 'accounts' and a.tenant_id = $1 and a.id > $5
        order by a.id limit $8)
        union all
        (select p.id, 0, 'proxies', $3, p.id::text, p.password_encrypted
        from proxies p
        where $2 = 'proxies' and p.tenant_id = $1 and p.id > $5
        order by p.id limit $8)
        union all
        (select s.account_id, 0, 'bot_sessions', $3, s.account_id::text, s.data_encrypted
        from bot_sessions s
        where $2 = 'bot_sessions' and s.tenant_id = $1 and s.account_id > $5
        order by s.account_id limit $8)
        union all
        (select f.operator_id, 0, 'second_factors', $3, f.operator_id::text, f.secret_encrypted
        from second_factors f
        where $2 = 'second_factors' and f.tenant_id = $1 and f.operator_id > $5
        order by f.operator_id limit $8)
        union all
        (select i.id, 0, 'imports', $3, i.id::text, i.file_encrypted
        from imports i
        where $2 = 'imports' and i.tenant_id = $1 and i.id > $5
        order by i.id limit $8)
        union all
        (select r.import_id, r.line, case when $3 = 'raw_encrypted' then 'import_rows' else i.kind end,
            case when starts_with($3, 'before_') then substring($3 from 8) else $3 end,
            case when $3 = 'raw_encrypted' then r.import_id || ':' || r.line else r.target_id::text end,
            case $3
                when 'password_encrypted' then r.password_encrypted
                when 'access_token_encrypted' then r.access_token_encrypted
                when 'raw_encrypted' then r.raw_encrypted
                when 'before_password_encrypted' then r.before_password_encrypted
                when 'before_access_token_encrypted' then r.before_access_token_encrypted
            end
        from import_rows r
        join imports i on i.tenant_id = r.tenant_id and i.id = r.import_id
        where $2 = 'import_rows' and r.tenant_id = $1 and (r.import_id, r.line) > ($5, $6)
        order by r.import_id, r.line limit $8)
    ) s
) w
where w.stale or w.walked = $8
order by w.a, w.b
limit $7
