-- Gives one bot, with the leases that it holds now, counted no further than $3, or nothing.
select b.id as "id: muster_wire::BotId", b.name, b.description, b.status as "status: muster_wire::bots::BotStatus",
    b.pause_reason, b.last_seen_at,
    (
        select count(*)
        from (
            select from work_queue q
            where q.tenant_id = $1 and q.bot_id = $2 and q.leased_until > now()
            -- The last first: those that were reported meanwhile, and are not removed yet, are behind.
            order by q.leased_until desc limit $3
        ) q
    ) as "leases!",
    b.created_at, b.xmin::text::bigint as "version!"
from bots b
where b.tenant_id = $1 and b.id = $2
