-- The notes on an account, newest first: those before a time (in microseconds since 1970).
select n.at, n.id, n.operator_id as "operator_id: muster_wire::OperatorId", o.name as "operator?", n.text
from account_notes n
left join operators o on o.id = n.operator_id
where n.tenant_id = $1 and n.account_id = $2
    and ($3::bigint is null or n.at < timestamptz 'epoch' + $3 * interval '1 microsecond')
order by n.at desc, n.id desc
limit $4
