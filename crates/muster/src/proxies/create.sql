-- Makes a proxy, unless there is one of this identity; a host is kept in lower case, so that one is not known twice.
insert into proxies (
    tenant_id, scheme, host, port, username, provider, location, monthly_cost, assigned_model_id, max_accounts)
values ($1, $2, lower($3), $4, $5, $6, $7, $8, $9, coalesce($10::integer, 3))
on conflict do nothing
returning id
