-- Gives each tenant that the person with this address may sign in to, or nothing.
select operator_id as "operator_id!: muster_wire::OperatorId", name as "name!",
    password_hash as "password_hash: String", tenant_id as "tenant_id!: muster_wire::TenantId", tenant as "tenant!",
    role as "role!: muster_wire::Role"
from sign_in($1)
