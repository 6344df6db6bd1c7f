-- The tenants with uses of content that are noted and not yet counted.
select distinct tenant_id as "tenant: muster_wire::TenantId" from content_uses
