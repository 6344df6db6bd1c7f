-- Gives every version of the tenant's data key, oldest first, and how many secrets each seals.
select k.version, k.created_at, k.master_key_id, coalesce(s.sealed, 0) as "sealed!"
from tenant_keys k
left join (
    select ('x' || encode(substring(sealed from 3 for 4), 'hex'))::bit(32)::integer as version, count(*) as sealed
    from (
        select password_encrypted as sealed from accounts where tenant_id = $1
        union all
        select access_token_encrypted from accounts where tenant_id = $1
        union all
        select password_encrypted from proxies where tenant_id = $1
        union all
        select data_encrypted from bot_sessions where tenant_id = $1
        union all
        select secret_encrypted from second_factors where tenant_id = $1
        union all
        select file_encrypted from imports where tenant_id = $1
        union all
        select password_encrypted from import_rows where tenant_id = $1
        union all
        select access_token_encrypted from import_rows where tenant_id = $1
        union all
        select raw_encrypted from import_rows where tenant_id = $1
        union all
        select before_password_encrypted from import_rows where tenant_id = $1
        union all
        select before_access_token_encrypted from import_rows where tenant_id = $1
    ) secrets
    where sealed is not null
    group by 1
) s on s.version = k.version
where k.tenant_id = $1
order by k.version
