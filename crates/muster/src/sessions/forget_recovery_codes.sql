-- Forgets a person's recovery codes.
delete from recovery_codes where tenant_id = $1 and operator_id = $2
