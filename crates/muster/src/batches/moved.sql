-- Gives the accounts that a batch moved, of these where some are named: from where, where each is now, and what happened to it since,
-- if anything did.
select h.account_id, h.from_state as "from_state!: muster_wire::State", a.lifecycle_state as "state: muster_wire::State",
    a.warmup_completed_at is not null as "warmup_complete!",
    coalesce(
        (select s.event from account_state_history s
         where s.tenant_id = $1 and s.account_id = h.account_id and s.created_at > h.created_at
         order by s.created_at limit 1),
        case when a.lifecycle_state not in ('imported', 'cleanup') and (h.metadata ->> 'proxy_id')::bigint <> a.proxy_id
            then 'another proxy' end) as since
from batches b
join account_state_history h on h.tenant_id = $1 and h.request_id = b.request_id and h.event = b.event
    -- Nothing but what its partitions and their index are found by: the last part begins when the batch is ended.
    and h.created_at between b.created_at and b.ended_at + interval '10 minutes'
    and ($3::bigint[] is null or h.account_id = any ($3))
join accounts a on a.tenant_id = $1 and a.id = h.account_id
where b.tenant_id = $1 and b.id = $2
order by h.account_id
