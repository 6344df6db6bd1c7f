-- Forgets a person's second factor.
delete from second_factors where tenant_id = $1 and operator_id = $2
