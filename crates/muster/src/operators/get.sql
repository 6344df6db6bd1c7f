-- Gives one member of the tenant, or nothing.
select m.operator_id as "id: muster_wire::OperatorId", o.email, o.name, m.role as "role: muster_wire::Role", m.created_at,
    m.xmin::text::bigint as "version!"
from memberships m
join operators o on o.id = m.operator_id
where m.tenant_id = $1 and m.operator_id = $2
