-- The tenant of this name ($1), or null.
select id as "id: muster_wire::TenantId" from tenants where name = $1
