-- Gives the bots of the tenant after an id, in the order of their ids, with the leases that each holds now, counted no further than $6.
select b.id as "id: muster_wire::BotId", b.name, b.description, b.status as "status: muster_wire::bots::BotStatus",
    b.pause_reason, b.last_seen_at,
    (
        select count(*)
        from (
            select from work_queue q
            where q.tenant_id = $1 and q.bot_id = b.id and q.leased_until > now()
            -- The last first: those that were reported meanwhile, and are not removed yet, are behind.
            order by q.leased_until desc limit $6
        ) q
    ) as "leases!",
    b.created_at, b.xmin::text::bigint as "version!"
from bots b
where b.tenant_id = $1 and b.id > $2
    and ($3::text is null or b.status = $3)
    and ($4::text is null or strpos(lower(b.name), lower($4)) > 0)
order by b.id
limit $5
