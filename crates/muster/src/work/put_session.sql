-- Keeps sealed session data for an account whose lease the caller still holds, and holds on to the lease meanwhile; no
-- row when they do not hold it.
insert into bot_sessions as s (tenant_id, account_id, data_encrypted, bot_id)
select q.tenant_id, q.account_id, $6, q.bot_id
from work_queue q
where q.tenant_id = $1 and q.account_id = $4 and case when q.state = 'leased' and q.lease = $5 then q.leased_until > now()
    and q.bot_id is not distinct from $2 and q.operator_id is not distinct from $3 end
for share of q
on conflict (tenant_id, account_id) do update
set data_encrypted = excluded.data_encrypted, bot_id = excluded.bot_id, updated_at = now()
returning s.updated_at
