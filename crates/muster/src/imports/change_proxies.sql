-- Changes the proxies that a staged import changes, or takes that back ($3), where they still hold what they did.
update proxies p
set exit_ip = case when d.v ? 'exit_ip' then (d.v ->> 'exit_ip')::inet else p.exit_ip end,
    provider = case when d.v ? 'provider' then d.v ->> 'provider' else p.provider end,
    location = case when d.v ? 'location' then d.v ->> 'location' else p.location end,
    monthly_cost = case when d.v ? 'monthly_cost' then (d.v ->> 'monthly_cost')::numeric else p.monthly_cost end,
    status = case when d.v ? 'status' then d.v ->> 'status' else p.status end,
    assigned_model_id = case when d.v ? 'model' then (select m.id from models m where m.tenant_id = $1 and m.name = d.v ->> 'model') else p.assigned_model_id end,
    max_accounts = case when d.v ? 'max_accounts' then (d.v ->> 'max_accounts')::integer else p.max_accounts end,
    password_encrypted = case
        when r.password_encrypted is null then p.password_encrypted
        when $3 then r.before_password_encrypted
        else r.password_encrypted end,
    updated_at = now()
from import_rows r, lateral (select case when $3 then r.before else r.data end as v) d
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'changed' and p.tenant_id = $1 and p.id = r.target_id
    and fields_hold(proxy_fields(p), case when $3 then r.data else r.before end)
