-- Notes the period whose code was accepted.
update second_factors set last_step = $3, failures = 0, failed_at = null where tenant_id = $1 and operator_id = $2
