-- Proxies whose counter is not the number of their accounts. Those with too many accounts are another check's.
select 'proxy ' || p.id || ': the counter says ' || p.account_count || ' accounts; there are ' || n.total as "example!",
    count(*) over () as "count!"
from proxies p
cross join lateral (select count(*) as total from accounts a where a.tenant_id = $1 and a.proxy_id = p.id) n
where p.tenant_id = $1 and p.account_count <> n.total and n.total <= p.max_accounts
order by p.id
limit $2
