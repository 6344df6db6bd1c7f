-- A report as the server makes it: $1 tenant, $2 bot, $3 accounts in order, $4 their leases. Gives how many were accepted.
select count(*)
from report_steps(muster_act_as($1, 'bot', null, $2, gen_random_uuid()), 5::smallint, 30000, array [$2::bigint], array [null::bigint], array [gen_random_uuid()],
    array ['127.0.0.1'], array ['bench'], array_fill(1, array [cardinality($3::bigint[])]), $3, $4,
    array_fill('completed'::text, array [cardinality($3)]), array_fill(120, array [cardinality($3)]),
    array_fill(null::jsonb, array [cardinality($3)]), array_fill(null::text, array [cardinality($3)]))
where verdict = 'accepted'
