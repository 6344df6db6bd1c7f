-- Gives the batches before an id, the newest first.
select b.id as "id: muster_wire::BatchId", b.event as "event: muster_wire::Event", b.reason,
    b.state as "state: muster_wire::batches::BatchState", b.undoes as "undoes: muster_wire::BatchId",
    b.accounts, b.moved, b.refused, b.due_at,
    b.operator_id as "operator_id: muster_wire::OperatorId", o.name as "operator?", b.created_at, b.ended_at
from batches b
left join operators o on o.id = b.operator_id
where b.tenant_id = $1 and ($2::bigint is null or b.id < $2)
order by b.id desc
limit $3
