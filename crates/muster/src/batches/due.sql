-- Gives the batch that is due longest, with the role that who asked for it has now.
select b.id as "id: muster_wire::BatchId", b.event as "event: muster_wire::Event", b.in_review, b.reason,
    b.operator_id as "operator_id: muster_wire::OperatorId", b.request_id, b.undoes as "undoes: muster_wire::BatchId", m.role as "role?: muster_wire::Role"
from batches b
left join memberships m on m.tenant_id = $1 and m.operator_id = b.operator_id
where b.tenant_id = $1 and b.state in ('waiting', 'running') and b.due_at <= now()
order by b.due_at
limit 1
