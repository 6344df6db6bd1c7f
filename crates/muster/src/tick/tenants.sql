-- Every tenant.
select id as "tenant: muster_wire::TenantId" from tenants
