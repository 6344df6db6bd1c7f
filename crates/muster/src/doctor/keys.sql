-- Data keys that are needed and not there: the tenant's own, and those that stored secrets were sealed with.
with needed as (
    select 'new secrets' as what, null::bytea as sealed
    where not exists (select from tenant_keys where tenant_id = $1)
    union all
    select 'password of account ' || id, password_encrypted from accounts
    where tenant_id = $1 and password_encrypted is not null
    union all
    select 'access token of account ' || id, access_token_encrypted from accounts
    where tenant_id = $1 and access_token_encrypted is not null
    union all
    select 'password of proxy ' || id, password_encrypted from proxies
    where tenant_id = $1 and password_encrypted is not null
    union all
    select 'session of account ' || account_id, data_encrypted from bot_sessions where tenant_id = $1
    union all
    select 'second factor of operator ' || operator_id, secret_encrypted from second_factors where tenant_id = $1
), versioned as (
    select what, ('x' || encode(substr(sealed, 3, 4), 'hex'))::bit(32)::integer as version from needed
)
select what || coalesce(': key ' || version || ' is missing', ': no key at all') as "example!", count(*) over () as "count!"
from versioned v
where not exists (select from tenant_keys k where k.tenant_id = $1 and k.version = v.version)
order by what
limit $2
