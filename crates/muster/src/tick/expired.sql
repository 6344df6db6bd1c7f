-- The tenants with leases that have run out.
select distinct tenant_id as "tenant: muster_wire::TenantId" from work_queue where state = 'leased' and leased_until <= now()
