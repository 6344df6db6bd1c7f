-- Gives the tenants that the acting person may enter, in the order of their ids.
select tenant_id as "tenant_id!: muster_wire::TenantId", name as "name!", role as "role!: muster_wire::Role" from my_tenants()
