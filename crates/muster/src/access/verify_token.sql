-- Gives who a token stands for, when it is good now; an API token never has more than its operator's present role.
select t.id, t.bot_id, t.operator_id,
    case
        when t.role is null then null
        when array_position('{owner,admin,operator,reviewer,viewer}'::text[], t.role)
            < array_position('{owner,admin,operator,reviewer,viewer}'::text[], m.role) then m.role
        else t.role
    end as "role: muster_wire::Role",
    t.requests_per_minute, n.requests_per_minute as tenant_requests_per_minute
from api_tokens t
join tenants n on n.id = t.tenant_id
left join memberships m on m.tenant_id = t.tenant_id and m.operator_id = t.operator_id
left join operators o on o.id = m.operator_id
where t.tenant_id = $1 and t.hash = $2 and t.revoked_at is null and t.expires_at > now()
    and (t.kind = 'bot' or (m.role is not null and o.disabled_at is null))
