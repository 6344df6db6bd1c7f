-- Lets one transaction of a tenant at a time choose proxies. After the accounts and their work, before the proxies.
select id from tenants where id = $1 for no key update
