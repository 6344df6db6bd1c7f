-- Gives the role of a member who may sign in, and the time by the database's clock.
select m.role as "role: muster_wire::Role", extract(epoch from now())::bigint as "now!"
from memberships m
join operators o on o.id = m.operator_id
where m.tenant_id = $1 and m.operator_id = $2 and o.disabled_at is null
