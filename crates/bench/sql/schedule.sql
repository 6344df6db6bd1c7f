-- Has accounts of tenant $1 become ready one after the other from $4 on, in seconds since 1970, so many a second as $5 says:
-- those after the first $2, $3 of them. The first are ready as they were, the last become so at one moment, $6.
update work_queue q
set run_at = to_timestamp(case when n.n <= $2 + $3 then $4 + (n.n - $2) / $5 else $6 end)
from (select account_id, row_number() over (order by account_id) as n from work_queue where tenant_id = $1) n
where q.tenant_id = $1 and q.account_id = n.account_id and n.n > $2
