-- Names the accounts that use a proxy.
select a.id from accounts a where a.tenant_id = $1 and a.proxy_id = $2 order by a.id
