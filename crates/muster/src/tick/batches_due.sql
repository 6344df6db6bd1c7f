-- The tenants with batches that are due.
select distinct tenant_id as "tenant: muster_wire::TenantId" from batches
where state in ('waiting', 'running') and due_at <= now()
