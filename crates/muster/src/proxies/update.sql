-- Changes a proxy that the transaction has locked. Null leaves a column as it is; the two that can be cleared come with
-- a flag.
update proxies
set scheme = coalesce($3, scheme), host = coalesce(lower($4), host), port = coalesce($5, port),
    username = case when $6::boolean then $7 else username end, provider = coalesce($8, provider),
    location = coalesce($9, location), monthly_cost = coalesce($10, monthly_cost), status = coalesce($11, status),
    assigned_model_id = case when $12::boolean then $13 else assigned_model_id end,
    max_accounts = coalesce($14, max_accounts), updated_at = clock_timestamp()
where tenant_id = $1 and id = $2
