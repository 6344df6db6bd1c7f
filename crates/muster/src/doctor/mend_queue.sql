-- Makes the queue what accounts, models and proxies say. Leases stay; an account that the queue has never heard of begins.
with truth as (
    select a.tenant_id, a.id, a.model_id, coalesce(m.people_mask, 0) as people_mask,
        case when a.authorisation_basis is null then '-infinity'::timestamptz
            else coalesce(a.authorisation_expires_at, 'infinity') end as authorised_until,
        case
            when a.status <> 'active' then 'account_not_active'
            when a.authorisation_basis is null or a.authorisation_expires_at <= now() then 'authorisation_lapsed'
            when a.model_id is null then 'no_model'
            when m.status <> 'active' then 'model_not_active'
            when p.status <> 'active' then 'proxy_not_active'
        end as hold
    from accounts a
    left join lateral (
        select o.status, (select coalesce(sum(1 << (s - 1)), 0)::smallint from unnest(o.people_steps) s) as people_mask
        from models o where o.tenant_id = a.tenant_id and o.id = a.model_id
    ) m on true
    left join proxies p on p.tenant_id = a.tenant_id and p.id = a.proxy_id
    where a.lifecycle_state = 'warming_up'
), emptied as (
    update work_queue q
    set state = 'idle', hold = null, leased_at = null, leased_until = null, bot_id = null, operator_id = null,
        content_id = null, text_id = null
    where q.state <> 'idle' and not exists (select from truth t where t.tenant_id = q.tenant_id and t.id = q.account_id)
)
insert into work_queue as q (tenant_id, account_id, model_id, step, people_mask, authorised_until, hold, state)
select tenant_id, id, model_id, 1, people_mask, authorised_until, hold, case when hold is null then 'ready' else 'held' end
from truth
on conflict (tenant_id, account_id) do update
set model_id = excluded.model_id, people_mask = excluded.people_mask, authorised_until = excluded.authorised_until,
    hold = excluded.hold, state = case when q.state = 'leased' then 'leased' else excluded.state end
where q.state = 'idle'
    or (q.model_id, q.people_mask, q.authorised_until, q.hold)
        is distinct from (excluded.model_id, excluded.people_mask, excluded.authorised_until, excluded.hold)
