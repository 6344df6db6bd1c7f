-- Gives the sealed session data of an account whose lease the caller still holds; no row when they do not hold it.
select s.data_encrypted as "data_encrypted?", s.updated_at as "updated_at?"
from work_queue q
left join bot_sessions s on s.tenant_id = $1 and s.account_id = q.account_id
where q.tenant_id = $1 and q.account_id = $4 and case when q.state = 'leased' and q.lease = $5 then q.leased_until > now()
    and q.bot_id is not distinct from $2 and q.operator_id is not distinct from $3 end
