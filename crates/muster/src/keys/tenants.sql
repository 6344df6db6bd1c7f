-- Gives every tenant there is.
select id as "id: muster_wire::TenantId" from tenants order by id
