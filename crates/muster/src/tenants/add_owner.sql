-- Makes the operator an owner of the tenant.
insert into memberships (tenant_id, operator_id, role) values ($1, $2, 'owner')
