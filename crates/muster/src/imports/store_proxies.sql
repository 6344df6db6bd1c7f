-- Stores the new proxies of a staged import. The name of a model is taken out first:
-- row-level security finds a key by a value, and by no expression.
insert into proxies (
    tenant_id, id, scheme, host, port, username, password_encrypted, exit_ip, provider, location, monthly_cost, status,
    assigned_model_id, max_accounts)
overriding system value
select $1, r.target_id, r.data ->> 'scheme', r.data ->> 'host', (r.data ->> 'port')::integer, r.data ->> 'username',
    r.password_encrypted, (r.data ->> 'exit_ip')::inet, r.data ->> 'provider', r.data ->> 'location',
    (r.data ->> 'monthly_cost')::numeric, r.data ->> 'status', m.id, (r.data ->> 'max_accounts')::integer
from import_rows r
cross join lateral (select r.data ->> 'model' as model offset 0) n
left join models m on m.tenant_id = $1 and m.name = n.model
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new' and (n.model is null or m.id is not null)
order by r.line
