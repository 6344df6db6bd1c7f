-- Gives accounts ($2) that are all on proxy $3, or on none and imported, a place on one of the locked proxies ($4): first
-- the places of their own model's proxies, then shared ones, and every proxy's first place before any proxy's second. An
-- account for which there is no place stays where it is.
with wanted as (
    select a.id, a.model_id, row_number() over (partition by a.model_id order by a.id) as n
    from accounts a
    where a.tenant_id = $1 and a.id = any ($2) and a.proxy_id is not distinct from $3
        and (a.proxy_id is not null or (
            a.lifecycle_state = 'imported' and a.status = 'active' and a.authorisation_basis is not null
            and (a.authorisation_expires_at is null or a.authorisation_expires_at > now())))
), places as (
    select p.id, p.assigned_model_id,
        row_number() over (partition by p.assigned_model_id order by place, p.id) as n
    from proxies p
    cross join lateral generate_series(p.account_count + 1, p.max_accounts) as place
    where p.tenant_id = $1 and p.id = any ($4) and p.status = 'active' and p.id is distinct from $3
), own as (
    select w.id, s.id as proxy_id
    from wanted w join places s on s.assigned_model_id = w.model_id and s.n = w.n
), others as (
    select w.id, row_number() over (order by w.id) as n
    from wanted w
    where not exists (select from own o where o.id = w.id)
), given as (
    select id, proxy_id from own
    union all
    select o.id, s.id from others o join places s on s.assigned_model_id is null and s.n = o.n
)
update accounts a
set proxy_id = g.proxy_id, proxy_assigned_at = now(), updated_at = now(),
    lifecycle_state = case when a.lifecycle_state = 'imported' then 'proxy_assigned' else a.lifecycle_state end,
    state_changed_at = case when a.lifecycle_state = 'imported' then now() else a.state_changed_at end
from given g
where a.tenant_id = $1 and a.id = g.id
returning a.id as "account_id: muster_wire::AccountId", a.proxy_id as "proxy_id!: muster_wire::ProxyId"
