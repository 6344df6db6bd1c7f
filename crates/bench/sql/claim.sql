-- A claim as the server makes it: $1 tenant, $2 bot, $3 how many.
select account_id, lease
from claim_steps(muster_act_as($1, 'bot', null, $2, gen_random_uuid()), array [$2::bigint], array [null::bigint], array [$3::integer], '{}', null, 120, null)
order by account_id
