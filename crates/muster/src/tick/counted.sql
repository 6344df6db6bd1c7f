-- The tenants whose accounts, pools or proxies have changed in ways that are not folded into their counters or marked yet, or that
-- have more than $1 changes of attempts which are not.
select tenant_id as "tenant!: muster_wire::TenantId" from account_count_changes
union
select tenant_id from pool_count_changes
union
select tenant_id from proxy_count_changes
union
select tenant_id from fingerprint_changes
union
select tenant_id from attempt_count_changes group by tenant_id having count(*) > $1
