-- Locks the queue rows of these accounts, and of those on these proxies, in the order of their accounts. After the
-- accounts and before the proxies: the trigger on a proxy's status reaches for these rows when it has the proxy already.
select q.account_id
from work_queue q
where q.tenant_id = $1 and q.state <> 'idle' and q.account_id = any (array(
    select unnest($2::bigint[])
    union
    select a.id from accounts a where a.tenant_id = $1 and a.proxy_id = any ($3::bigint[])))
order by q.account_id
for no key update
