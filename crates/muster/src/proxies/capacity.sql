-- What the proxies of the tenant carry and cost, as it is counted: all together, for each model and at each location, and of the last
-- two no more than $2, those that cost most.
with shares as (
    select share, model_id, location, sum(proxies) as proxies, sum(failed) as failed, sum(inactive) as inactive,
        sum(accounts) as accounts, sum(places) as places, sum(monthly_cost) as monthly_cost
    from counted_proxies($1)
    group by share, model_id, location
    having sum(proxies) > 0
)
select s.share as "share!", s.model_id as "model_id?: muster_wire::ModelId", coalesce(s.location, m.name) as name,
    s.proxies::bigint as "proxies!", s.failed::bigint as "failed!", s.inactive::bigint as "inactive!",
    s.accounts::bigint as "accounts!", s.places::bigint as "places!", s.monthly_cost as "monthly_cost!"
from (
    select share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost,
        row_number() over (partition by share order by monthly_cost desc, proxies desc, model_id, location) as place
    from shares
    union all
    select 'total', null, null, coalesce(sum(proxies), 0), coalesce(sum(failed), 0), coalesce(sum(inactive), 0),
        coalesce(sum(accounts), 0), coalesce(sum(places), 0), coalesce(sum(monthly_cost), 0), 1
    from shares where share = 'model'
) s
left join models m on m.tenant_id = $1 and m.id = s.model_id
where s.place <= $2
order by s.place
