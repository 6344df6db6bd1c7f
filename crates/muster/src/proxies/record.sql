-- Records what tests found, of proxies that nobody has changed since. A failure takes an active proxy out of use, and a
-- pass brings it back; one that a person took out of use stays so.
with found as (
    select f.id, f.updated_at, f.latency_ms, f.exit_ip::inet as exit_ip, f.error
    from unnest($2::bigint[], $3::timestamptz[], $4::integer[], $5::text[], $6::text[])
        as f (id, updated_at, latency_ms, exit_ip, error)
), locked as materialized (
    select p.id, p.status as was
    from proxies p join found f on f.id = p.id and f.updated_at = p.updated_at
    where p.tenant_id = $1
    order by p.id
    for no key update of p
)
update proxies p
set last_tested_at = now(), last_latency_ms = coalesce(f.latency_ms, p.last_latency_ms),
    exit_ip = coalesce(f.exit_ip, p.exit_ip), last_error_message = f.error,
    status = case
        when p.status = 'active' and f.error is not null then 'error'
        when p.status = 'error' and f.error is null then 'active'
        else p.status end
from found f join locked l using (id)
where p.tenant_id = $1 and p.id = f.id
returning p.id as "id: muster_wire::ProxyId", l.was as "was: muster_wire::proxies::ProxyStatus",
    p.status as "status: muster_wire::proxies::ProxyStatus", f.latency_ms, host(f.exit_ip) as exit_ip, f.error
