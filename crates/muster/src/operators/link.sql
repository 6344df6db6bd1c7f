-- Gives for whom a password link is, when it works now.
select l.operator_id as "operator: muster_wire::OperatorId", m.role as "role: muster_wire::Role"
from password_links l
join memberships m on m.tenant_id = l.tenant_id and m.operator_id = l.operator_id
where l.tenant_id = $1 and l.token_hash = $2 and l.used_at is null and l.expires_at > now()
