-- Has all accounts of tenant $1 but the first $2 be ready in a year.
update work_queue q
set run_at = now() + interval '1 year'
from accounts a
where q.tenant_id = $1 and a.tenant_id = $1 and a.id = q.account_id and a.authorisation_reference::integer >= $2
