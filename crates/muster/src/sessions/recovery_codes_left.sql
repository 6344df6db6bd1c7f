-- Counts the recovery codes that a person has left.
select count(*) as "left!" from recovery_codes where tenant_id = $1 and operator_id = $2
