-- The tenants whose accounts, pools or proxies have changed in ways that are not folded into their counters yet.
select tenant_id as "tenant!: muster_wire::TenantId" from account_count_changes
union
select tenant_id from pool_count_changes
union
select tenant_id from proxy_count_changes
