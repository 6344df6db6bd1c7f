-- Gives a second factor as it stays until the transaction ends: its secret, the last period whose code was accepted, whether
-- codes are refused unseen because $3 wrong ones were given within $4 minutes, and the time by the database's clock.
select secret_encrypted, last_step, failures >= $3 and failed_at > now() - make_interval(mins => $4) as "resting!",
    extract(epoch from now())::bigint as "now!"
from second_factors
where tenant_id = $1 and operator_id = $2
for no key update
