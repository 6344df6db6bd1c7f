-- Gives the accounts that a request ($2) moved by an event ($3) between two moments, of these where some are named ($6): from where,
-- where each is now, and what happened to it since, if anything did.
select h.account_id, h.from_state as "from_state!: muster_wire::State", a.lifecycle_state as "state: muster_wire::State",
    a.warmup_completed_at is not null as "warmup_complete!",
    coalesce(
        (select s.event from account_state_history s
         where s.tenant_id = $1 and s.account_id = h.account_id and s.created_at > h.created_at
         order by s.created_at limit 1),
        case when a.lifecycle_state not in ('imported', 'cleanup') and (h.metadata ->> 'proxy_id')::bigint <> a.proxy_id
            then 'another proxy' end) as since
from account_state_history h
join accounts a on a.tenant_id = $1 and a.id = h.account_id
where h.tenant_id = $1 and h.request_id = $2 and h.event = $3 and h.created_at between $4 and $5
    and ($6::bigint[] is null or h.account_id = any ($6))
order by h.account_id
