-- Stores the new proxies of a staged import.
insert into proxies (
    tenant_id, id, scheme, host, port, username, password_encrypted, exit_ip, provider, location, monthly_cost, status,
    assigned_model_id, max_accounts)
overriding system value
select $1, r.target_id, r.data ->> 'scheme', r.data ->> 'host', (r.data ->> 'port')::integer, r.data ->> 'username',
    r.password_encrypted, (r.data ->> 'exit_ip')::inet, r.data ->> 'provider', r.data ->> 'location',
    (r.data ->> 'monthly_cost')::numeric, r.data ->> 'status', m.id, (r.data ->> 'max_accounts')::integer
from import_rows r
left join models m on m.tenant_id = $1 and m.name = r.data ->> 'model'
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new'
order by r.line
