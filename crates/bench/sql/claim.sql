-- A claim as the server makes it: $1 tenant, $2 bot, $3 how many.
select account_id, lease from claim_steps($1, array [$2::bigint], array [null::bigint], array [$3::integer], '{}', null, 120, null)
order by account_id
