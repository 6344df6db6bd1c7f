-- Walks accounts in an order, from after a place: gives those that match, with what holds them back and how far their step is,
-- and the last that was walked where that is as far as it goes. No secrets.
select w.name, w.at, w.walked as "walked!", w.matches as "matches!", w.id as "id!: muster_wire::AccountId",
    (w.account).username as "username!", (w.account).email as "email!",
    (w.account).password_encrypted is not null as "has_password!",
    (w.account).access_token_encrypted is not null as "has_access_token!",
    (w.account).status as "status!: muster_wire::accounts::AccountStatus",
    (w.account).model_id as "model_id: muster_wire::ModelId", m.name as "model?", (w.account).assigned_at,
    (w.account).lifecycle_state as "lifecycle_state!: muster_wire::State",
    (w.account).state_changed_at as "state_changed_at!", q.step as "warmup_step?", (w.account).warmup_started_at,
    (w.account).warmup_completed_at, (w.account).proxy_id as "proxy_id: muster_wire::ProxyId",
    (w.account).proxy_assigned_at,
    (w.account).authorisation_basis as "authorisation_basis: muster_wire::accounts::Basis",
    (w.account).authorisation_reference, (w.account).authorisation_expires_at, q.last_bot_action_by as "last_bot_action_by?",
    q.last_bot_action_at as "last_bot_action_at?", (w.account).requires_human_review as "requires_human_review!",
    (w.account).last_error_message, (w.account).last_error_at, coalesce(q.attempt, 0) as "retry_count!",
    (w.account).bio, (w.account).profile_picture_url, (w.account).location_city, (w.account).location_campus,
    (w.account).location_niche, (w.account).birthday, (w.account).device_info, (w.account).content_type,
    (w.account).created_at as "created_at!", (w.account).updated_at as "updated_at!", w.version as "version!",
    coalesce(
        account_hold((w.account).status, (w.account).authorisation_basis, (w.account).authorisation_expires_at,
            (w.account).model_id, m.status, null),
        case when q.state <> 'idle' and q.hold in ('proxy_not_active', 'pool_empty') then q.hold end) as "hold: muster_wire::accounts::Hold",
    case when q.state <> 'idle' then q.step end as step, case when q.state <> 'idle' then q.attempt end as attempt,
    case when q.state <> 'idle' then q.run_at end as run_at, q.leased_until as "leased_until?",
    q.bot_id as "bot_id?: muster_wire::BotId", q.operator_id as "operator_id?: muster_wire::OperatorId"
from (
    select name, at, id, account, version, walked, matches
    from (
        -- Whether an account matches is asked once, though it is told here and there.
        select name, at, id, account, version, walked, matches from walk_accounts(
            $1, $2, $3, $4, $5, $6, timestamptz 'epoch' + $7::bigint * interval '1 microsecond', $8, $9)
        offset 0
    ) a
    where matches or walked = $9
    order by walked
    limit $10
) w
left join models m on m.tenant_id = $1 and m.id = (w.account).model_id
left join work_queue q on q.tenant_id = $1
    and q.account_id = case when (w.account).warmup_started_at is not null then w.id end
order by w.walked
