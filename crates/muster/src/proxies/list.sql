-- Lists proxies that match the filter, in the order of their ids.
select p.id as "id: muster_wire::ProxyId", p.scheme as "scheme: muster_wire::proxies::Scheme", p.host, p.port, p.username,
    p.password_encrypted is not null as "has_password!", p.provider, p.location, p.monthly_cost,
    p.status as "status: muster_wire::proxies::ProxyStatus",
    p.assigned_model_id as "assigned_model_id: muster_wire::ModelId", p.account_count, p.max_accounts, p.last_tested_at,
    p.last_latency_ms, p.last_error_message, host(p.exit_ip) as exit_ip, p.created_at, p.updated_at,
    p.xmin::text::bigint as "version!"
from proxies p
where p.tenant_id = $1 and ($2::bigint is null or p.id > $2)
    and ($3::text is null or p.status = $3)
    and ($4::text is null or ($4 = 'none' and p.assigned_model_id is null) or p.assigned_model_id in (
        select m.id from models m where m.tenant_id = $1 and (m.name = $4 or m.id::text = $4)))
    and ($5::text is null or p.provider = $5)
    and ($6::text is null or p.location = $6)
    and ($7::boolean is null or (p.account_count < p.max_accounts) = $7)
    and ($8::text is null or position(lower($8) in p.host) > 0)
order by p.id
limit $9
