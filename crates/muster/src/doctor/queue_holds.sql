-- Rows of the queue whose model, people's steps, authorisation or hold are not what accounts, models and proxies say. An
-- empty pool is the claim's to find; an authorisation that has run out since the row was written may show or not.
with truth as (
    select q.account_id, q.model_id, q.people_mask, q.authorised_until, q.hold,
        a.model_id as true_model_id, coalesce(m.people_mask, 0) as true_people_mask,
        case when a.authorisation_basis is null then '-infinity'::timestamptz
            else coalesce(a.authorisation_expires_at, 'infinity') end as true_authorised_until,
        case
            when a.status <> 'active' then 'account_not_active'
            when a.authorisation_basis is null then 'authorisation_lapsed'
            when a.model_id is null then 'no_model'
            when m.status <> 'active' then 'model_not_active'
            when p.status <> 'active' then 'proxy_not_active'
        end as true_hold,
        coalesce(a.status = 'active' and a.authorisation_expires_at <= now(), false) as lapsed
    from work_queue q
    join accounts a on a.tenant_id = $1 and a.id = q.account_id
    left join lateral (
        select o.status, (select coalesce(sum(1 << (s - 1)), 0)::smallint from unnest(o.people_steps) s) as people_mask
        from models o where o.tenant_id = $1 and o.id = a.model_id
    ) m on true
    left join proxies p on p.tenant_id = $1 and p.id = a.proxy_id
    where q.tenant_id = $1 and q.state <> 'idle' and a.lifecycle_state = 'warming_up'
)
select 'account ' || account_id || ': the queue says ' || coalesce(hold, 'no hold') || ', the account '
        || coalesce(true_hold, 'no hold')
        || case when (model_id, people_mask, authorised_until)
                is distinct from (true_model_id, true_people_mask, true_authorised_until)
            then '; model, people''s steps or authorisation differ too' else '' end as "example!",
    count(*) over () as "count!"
from truth
where (model_id, people_mask, authorised_until) is distinct from (true_model_id, true_people_mask, true_authorised_until)
    or not (hold is not distinct from true_hold
        or (hold is not distinct from 'pool_empty' and true_hold is null)
        or (hold is not distinct from 'authorisation_lapsed' and lapsed))
order by account_id
limit $2
