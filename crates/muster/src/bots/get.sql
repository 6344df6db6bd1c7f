-- Gives one bot, with the leases that it holds now, or nothing.
select b.id as "id: muster_wire::BotId", b.name, b.description, b.status as "status: muster_wire::bots::BotStatus",
    b.pause_reason, b.last_seen_at,
    (select count(*) from work_queue q where q.tenant_id = $1 and q.state = 'leased' and q.bot_id = $2) as "leases!",
    b.created_at, b.xmin::text::bigint as "version!"
from bots b
where b.tenant_id = $1 and b.id = $2
