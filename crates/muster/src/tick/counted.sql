-- The tenants whose accounts have changed in ways that are not folded into their counters yet.
select distinct tenant_id as "tenant: muster_wire::TenantId" from account_count_changes
