-- Gives these proxies, without their passwords, in the order of their ids.
select p.id as "id: muster_wire::ProxyId", p.scheme as "scheme: muster_wire::proxies::Scheme", p.host, p.port, p.username,
    p.password_encrypted is not null as "has_password!", p.provider, p.location, p.monthly_cost,
    p.status as "status: muster_wire::proxies::ProxyStatus",
    p.assigned_model_id as "assigned_model_id: muster_wire::ModelId", p.account_count, p.max_accounts, p.last_tested_at,
    p.last_latency_ms, p.last_error_message, host(p.exit_ip) as exit_ip, p.created_at, p.updated_at,
    p.xmin::text::bigint as "version!"
from proxies p
where p.tenant_id = $1 and p.id = any ($2)
order by p.id
