-- Some sealed secrets of the tenant $1 with their places, up to $2 of each column, chosen at random.
with chosen as (
    (select 'accounts' as place_table, 'password_encrypted' as place_column, id as place_row, password_encrypted as sealed
        from accounts where tenant_id = $1 and password_encrypted is not null order by random() limit $2)
    union all
    (select 'accounts', 'access_token_encrypted', id, access_token_encrypted
        from accounts where tenant_id = $1 and access_token_encrypted is not null order by random() limit $2)
    union all
    (select 'proxies', 'password_encrypted', id, password_encrypted
        from proxies where tenant_id = $1 and password_encrypted is not null order by random() limit $2)
    union all
    (select 'bot_sessions', 'data_encrypted', account_id, data_encrypted
        from bot_sessions where tenant_id = $1 order by random() limit $2)
)
select place_table as "place_table!", place_column as "place_column!", place_row::text as "place_row!", sealed as "sealed!"
from chosen
