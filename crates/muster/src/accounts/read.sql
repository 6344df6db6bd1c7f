-- The accounts of these ids, in the order of their ids, with what holds them back and how far their step is. No secrets.
select a.id as "id: muster_wire::AccountId", a.username, a.email,
    a.password_encrypted is not null as "has_password!", a.access_token_encrypted is not null as "has_access_token!",
    a.status as "status: muster_wire::accounts::AccountStatus", a.model_id as "model_id: muster_wire::ModelId",
    m.name as "model?", a.assigned_at, a.lifecycle_state as "lifecycle_state: muster_wire::State", a.state_changed_at,
    case when a.warmup_started_at is not null then q.step end as warmup_step, a.warmup_started_at, a.warmup_completed_at,
    a.proxy_id as "proxy_id: muster_wire::ProxyId", a.proxy_assigned_at,
    a.authorisation_basis as "authorisation_basis: muster_wire::accounts::Basis",
    a.authorisation_reference, a.authorisation_expires_at, q.last_bot_action_by as "last_bot_action_by?",
    q.last_bot_action_at as "last_bot_action_at?", a.requires_human_review, a.last_error_message, a.last_error_at,
    case when a.warmup_started_at is null then 0 else coalesce(q.attempt, 0) end as "retry_count!",
    a.bio, a.profile_picture_url,
    a.location_city, a.location_campus, a.location_niche, a.birthday, a.device_info, a.content_type, a.created_at,
    a.updated_at, a.xmin::text::bigint as "version!",
    coalesce(
        account_hold(a.status, a.authorisation_basis, a.authorisation_expires_at, a.model_id, m.status, x.status),
        case when q.hold = 'pool_empty' then q.hold end) as "hold: muster_wire::accounts::Hold",
    case when q.state <> 'idle' then q.step end as step, case when q.state <> 'idle' then q.attempt end as attempt,
    case when q.state <> 'idle' then q.run_at end as run_at, q.leased_until as "leased_until?",
    q.bot_id as "bot_id?: muster_wire::BotId", q.operator_id as "operator_id?: muster_wire::OperatorId"
from accounts a
left join models m on m.tenant_id = a.tenant_id and m.id = a.model_id
left join proxies x on x.tenant_id = a.tenant_id and x.id = a.proxy_id
left join work_queue q on q.tenant_id = a.tenant_id and q.account_id = a.id
where a.tenant_id = $1 and a.id = any ($2)
order by a.id
