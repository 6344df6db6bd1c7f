-- Forgets a recovery code of a person, if it is one: it is right once.
delete from recovery_codes where tenant_id = $1 and operator_id = $2 and code_hash = $3
