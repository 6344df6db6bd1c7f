-- Gives the address of a member who may sign in, and the hash of their password.
select o.email, o.password_hash as "password_hash: String"
from memberships m
join operators o on o.id = m.operator_id
where m.tenant_id = $1 and m.operator_id = $2 and o.disabled_at is null
