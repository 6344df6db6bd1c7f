-- Gives the entries of the audit log before a key, the newest first, with the names that their actors have now.
select l.at, l.id, l.triggered_by as "triggered_by: muster_wire::audit::TriggeredBy",
    l.operator_id as "operator_id: muster_wire::OperatorId", l.bot_id as "bot_id: muster_wire::BotId",
    coalesce(o.name, b.name) as actor_name, l.request_id, l.address, l.action, l.object_type, l.object_id, l.reason,
    l.before, l.after
from audit_log l
left join operators o on o.id = l.operator_id
left join bots b on b.tenant_id = l.tenant_id and b.id = l.bot_id
where l.tenant_id = $1
    and ($2::timestamptz is null or (l.at, l.id) < ($2, $3::uuid))
    and ($4::text is null or l.triggered_by = $4)
    and ($5::bigint is null or case $4 when 'user' then l.operator_id when 'bot' then l.bot_id end = $5)
    and ($6::text is null or l.action = $6 or starts_with(l.action, $6 || '.'))
    and ($7::text is null or l.object_type = $7)
    and ($8::text is null or l.object_id = $8)
    and ($9::uuid is null or l.request_id = $9)
    and ($10::timestamptz is null or l.at > $10)
    and ($11::timestamptz is null or l.at < $11)
order by l.at desc, l.id desc
limit $12
