-- Gives who a token stands for, when it is good now; an API token never has more than its operator's present role. That
-- it was used, and its bot seen, is noted at most once a minute.
with used as (
    update api_tokens set last_used_at = now()
    where tenant_id = $1 and hash = $2 and revoked_at is null and expires_at > now()
        and (last_used_at is null or last_used_at < now() - interval '1 minute')
), seen as (
    update bots b set last_seen_at = now()
    from api_tokens t
    where t.tenant_id = $1 and t.hash = $2 and t.revoked_at is null and t.expires_at > now()
        and b.tenant_id = $1 and b.id = t.bot_id
        and (b.last_seen_at is null or b.last_seen_at < now() - interval '1 minute')
)
select t.id, t.bot_id, t.operator_id,
    case
        when t.role is null then null
        when array_position('{owner,admin,operator,reviewer,viewer}'::text[], t.role)
            < array_position('{owner,admin,operator,reviewer,viewer}'::text[], m.role) then m.role
        else t.role
    end as "role: muster_wire::Role",
    coalesce(o.name, b.name, '') as "name!", n.name as tenant_name,
    t.requests_per_minute, n.requests_per_minute as tenant_requests_per_minute
from api_tokens t
join tenants n on n.id = t.tenant_id
left join memberships m on m.tenant_id = t.tenant_id and m.operator_id = t.operator_id
left join operators o on o.id = m.operator_id
left join bots b on b.tenant_id = t.tenant_id and b.id = t.bot_id
where t.tenant_id = $1 and t.hash = $2 and t.revoked_at is null and t.expires_at > now()
    and (t.kind = 'bot' or (m.role is not null and o.disabled_at is null))
