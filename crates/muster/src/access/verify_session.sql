-- Gives who a session stands for, when it is good now. Its being used ($3) moves its end, at most once a minute: half an hour
-- from now, and never beyond twelve hours from when it began.
with used as (
    update sessions
    set last_seen_at = now(), expires_at = least(now() + interval '30 minutes', created_at + interval '12 hours')
    where $3::boolean and tenant_id = $1 and token_hash = $2 and revoked_at is null and expires_at > now()
        and last_seen_at < now() - interval '1 minute'
)
select s.operator_id as "operator_id: muster_wire::OperatorId", m.role as "role: muster_wire::Role",
    o.name, n.name as tenant_name, n.requests_per_minute, n.requests_per_minute as tenant_requests_per_minute
from sessions s
join tenants n on n.id = s.tenant_id
join memberships m on m.tenant_id = s.tenant_id and m.operator_id = s.operator_id
join operators o on o.id = s.operator_id
where s.tenant_id = $1 and s.token_hash = $2 and s.revoked_at is null and s.expires_at > now()
    and o.disabled_at is null
