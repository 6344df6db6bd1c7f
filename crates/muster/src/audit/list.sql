-- Gives the entries of the audit log before a key, the newest first.
select at, id, triggered_by as "triggered_by: muster_wire::audit::TriggeredBy",
    operator_id as "operator_id: muster_wire::OperatorId", bot_id as "bot_id: muster_wire::BotId", request_id, address,
    action, object_type, object_id, reason, before, after
from audit_log
where tenant_id = $1
    and ($2::timestamptz is null or (at, id) < ($2, $3::uuid))
    and ($4::text is null or triggered_by = $4)
    and ($5::bigint is null or case $4 when 'user' then operator_id when 'bot' then bot_id end = $5)
    and ($6::text is null or action = $6 or starts_with(action, $6 || '.'))
    and ($7::text is null or object_type = $7)
    and ($8::text is null or object_id = $8)
    and ($9::uuid is null or request_id = $9)
    and ($10::timestamptz is null or at > $10)
    and ($11::timestamptz is null or at < $11)
order by at desc, id desc
limit $12
