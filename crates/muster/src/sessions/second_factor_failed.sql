-- Counts a wrong code; those that were given more than $3 minutes before count no more.
update second_factors
set failures = case when failed_at > now() - make_interval(mins => $3) then failures + 1 else 1 end, failed_at = now()
where tenant_id = $1 and operator_id = $2
