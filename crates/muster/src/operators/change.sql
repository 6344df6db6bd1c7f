-- Gives a member another role.
update memberships set role = $3 where tenant_id = $1 and operator_id = $2
