-- Gives the bots of the tenant after an id, in the order of their ids, with the leases that each holds now.
select b.id as "id: muster_wire::BotId", b.name, b.description, b.status as "status: muster_wire::bots::BotStatus",
    b.pause_reason, b.last_seen_at, coalesce(l.leases, 0) as "leases!", b.created_at, b.xmin::text::bigint as "version!"
from bots b
left join (
    select bot_id, count(*) as leases from work_queue where tenant_id = $1 and state = 'leased' group by bot_id
) l on l.bot_id = b.id
where b.tenant_id = $1 and b.id > $2
    and ($3::text is null or b.status = $3)
    and ($4::text is null or strpos(lower(b.name), lower($4)) > 0)
order by b.id
limit $5
