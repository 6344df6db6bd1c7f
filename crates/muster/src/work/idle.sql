-- Why a claim gave these claimers nothing: that the tenant, the bot or the model that they ask for is paused, with the reason; in how
-- many milliseconds the next step is due, where one is; and the database's time. A step that is due already is due at once.
select
    coalesce(
        (select t.pause_reason from tenants t where t.id = $1 and t.paused_at is not null),
        (select coalesce(b.pause_reason, 'this bot is paused') from bots b
        where b.tenant_id = $1 and b.id = c.bot_id and b.status = 'paused'),
        (select coalesce(m.pause_reason, 'this model is paused') from models m
        where m.tenant_id = $1 and m.id = $4 and m.status = 'paused')) as paused,
    next.due_in_ms, now() as "at!"
from unnest($2::bigint[]) with ordinality c (bot_id, n)
cross join (
    select ceil(extract(epoch from min(q.run_at) - clock_timestamp()) * 1000)::bigint as due_in_ms
    from generate_series(1, 5) s (step)
    cross join lateral (
        select run_at from work_queue
        where tenant_id = $1 and for_people = $3 and step = s.step and state = 'ready' and run_at > now()
        order by run_at limit 1
    ) q
) next
order by c.n
