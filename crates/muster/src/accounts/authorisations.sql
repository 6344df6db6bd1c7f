-- The authorisations that an account has had, newest first: those before a time (in microseconds since 1970).
select recorded_at, basis as "basis: muster_wire::accounts::Basis", reference, expires_at,
    operator_id as "operator_id: muster_wire::OperatorId", request_id
from authorisations
where tenant_id = $1 and account_id = $2
    and ($3::bigint is null or recorded_at < timestamptz 'epoch' + $3 * interval '1 microsecond')
order by recorded_at desc limit $4
