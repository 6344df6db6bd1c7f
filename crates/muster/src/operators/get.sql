-- Gives one member of the tenant, or nothing.
select m.operator_id as "id: muster_wire::OperatorId", o.email, o.name, m.role as "role: muster_wire::Role", m.created_at,
    exists (select from second_factors f where f.tenant_id = m.tenant_id and f.operator_id = m.operator_id)
        as "second_factor!",
    (select max(l.expires_at) from password_links l
    where l.tenant_id = m.tenant_id and l.operator_id = m.operator_id and l.used_at is null and l.expires_at > now())
        as invited_until,
    m.xmin::text::bigint as "version!"
from memberships m
join operators o on o.id = m.operator_id
where m.tenant_id = $1 and m.operator_id = $2
