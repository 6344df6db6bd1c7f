-- Has all accounts of tenant $1 but the first $2 be ready in a year.
update work_queue q
set run_at = now() + interval '1 year'
from (select account_id, row_number() over (order by account_id) as n from work_queue where tenant_id = $1) n
where q.tenant_id = $1 and q.account_id = n.account_id and n.n > $2
