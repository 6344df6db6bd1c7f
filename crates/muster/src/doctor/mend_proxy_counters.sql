-- Sets the counters of proxies to the numbers of their accounts.
update proxies p
set account_count = n.total
from (
    select p2.tenant_id, p2.id, count(a.id) as total
    from proxies p2 left join accounts a on a.tenant_id = p2.tenant_id and a.proxy_id = p2.id
    group by p2.tenant_id, p2.id
) n
where p.tenant_id = n.tenant_id and p.id = n.id and p.account_count <> n.total and n.total <= p.max_accounts
