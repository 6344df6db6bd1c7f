-- Proxies with more accounts than they may hold.
select 'proxy ' || p.id || ': ' || n.total || ' accounts, at most ' || p.max_accounts || ' allowed' as "example!",
    count(*) over () as "count!"
from proxies p
cross join lateral (select count(*) as total from accounts a where a.tenant_id = $1 and a.proxy_id = p.id) n
where p.tenant_id = $1 and n.total > p.max_accounts
order by p.id
limit $2
