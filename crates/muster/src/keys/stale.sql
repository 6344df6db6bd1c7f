-- Gives secrets of one column after a key that are not sealed by the current version, each with the place it was sealed
-- for. An import's rows hold secrets that are sealed for the place where they will be stored, or were.
select a as "a!", b as "b!", place_table as "place_table!", place_column as "place_column!", place_row as "place_row!",
    sealed as "sealed!"
from (
    select id as a, 0::bigint as b, 'accounts' as place_table, $3 as place_column, id::text as place_row,
        case $3 when 'password_encrypted' then password_encrypted else access_token_encrypted end as sealed
    from accounts
    where $2 = 'accounts' and tenant_id = $1 and id > $5
    union all
    select id, 0, 'proxies', $3, id::text, password_encrypted
    from proxies
    where $2 = 'proxies' and tenant_id = $1 and id > $5
    union all
    select account_id, 0, 'bot_sessions', $3, account_id::text, data_encrypted
    from bot_sessions
    where $2 = 'bot_sessions' and tenant_id = $1 and account_id > $5
    union all
    select operator_id, 0, 'second_factors', $3, operator_id::text, secret_encrypted
    from second_factors
    where $2 = 'second_factors' and tenant_id = $1 and operator_id > $5
    union all
    select id, 0, 'imports', $3, id::text, file_encrypted
    from imports
    where $2 = 'imports' and tenant_id = $1 and id > $5
    union all
    select r.import_id, r.line, case when $3 = 'raw_encrypted' then 'import_rows' else i.kind end,
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
) secrets
where sealed is not null and substring(sealed from 3 for 4) <> $4
order by a, b
limit $7
