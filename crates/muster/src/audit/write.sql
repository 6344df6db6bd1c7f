-- Appends entries to the audit log; who acts and by which request is what the transaction says.
insert into audit_log (
    tenant_id, triggered_by, operator_id, bot_id, request_id, address, action, object_type, object_id, reason, before, after)
select $1, muster_triggered_by(), muster_operator(), muster_bot(), muster_request(), $2, e.action, e.object_type,
    e.object_id, e.reason, e.before, e.after
from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[])
    as e (action, object_type, object_id, reason, before, after)
