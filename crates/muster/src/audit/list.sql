-- Walks the audit log from before a key, the newest first: gives the entries that match, and the last that was walked where
-- that is as far as it goes. Walked are those of the time and of the object that the filter names, so many at most.
select w.at as "at!", w.id as "id!", w.triggered_by as "triggered_by!: muster_wire::audit::TriggeredBy",
    w.operator_id as "operator_id: muster_wire::OperatorId", w.bot_id as "bot_id: muster_wire::BotId", w.request_id,
    w.address, w.action as "action!", w.object_type as "object_type!", w.object_id, w.reason, w.before, w.after,
    w.walked as "walked!", w.matches as "matches!"
from (
    select l.*, row_number() over () as walked,
        coalesce(($4::text is null or l.triggered_by = $4)
            and ($5::bigint is null or case $4 when 'user' then l.operator_id when 'bot' then l.bot_id end = $5)
            and ($6::text is null or l.action = $6 or starts_with(l.action, $6 || '.'))
            and ($7::text is null or l.object_type = $7)
            and ($9::uuid is null or l.request_id = $9), false) as matches
    from (
        select at, id, triggered_by, operator_id, bot_id, request_id, address, action, object_type, object_id, reason,
            before, after
        from audit_log
        where tenant_id = $1
            and ($2::timestamptz is null or (at, id) < ($2, $3::uuid))
            and ($8::text is null or (object_type = $7 and object_id = $8))
            and ($10::timestamptz is null or at > $10)
            and ($11::timestamptz is null or at < $11)
        order by at desc, id desc
        limit $13
    ) l
) w
where w.matches or w.walked = $13
order by w.at desc, w.id desc
limit $12
