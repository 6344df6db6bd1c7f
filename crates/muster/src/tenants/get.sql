-- Gives the tenant.
select id as "id: muster_wire::TenantId", name, paused_at, pause_reason, requests_per_minute, created_at,
    xmin::text::bigint as "version!"
from tenants
where id = $1
