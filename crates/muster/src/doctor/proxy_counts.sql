-- Models and locations whose counters of proxies, with the changes not yet folded in, are not what their proxies carry and cost.
select case k.share when 'model' then 'model ' || coalesce(k.model_id::text, 'none') else 'location ' || coalesce(k.location, 'none') end
        || ': counters are off by ' || k.proxies || ' proxies, ' || k.failed || ' failed, ' || k.inactive
        || ' inactive, ' || k.accounts || ' accounts, ' || k.places || ' places and ' || k.monthly_cost || ' a month'
        as "example!",
    count(*) over () as "count!"
from (
    select share, model_id, location, sum(proxies) as proxies, sum(failed) as failed, sum(inactive) as inactive,
        sum(accounts) as accounts, sum(places) as places, sum(monthly_cost) as monthly_cost
    from (
        select share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost from counted_proxies($1)
        union all
        select share, model_id, location, -proxies, -failed, -inactive, -accounts, -places, -monthly_cost
        from proxies_there($1)
    ) b
    group by 1, 2, 3
) k
where (k.proxies, k.failed, k.inactive, k.accounts, k.places, k.monthly_cost) <> (0, 0, 0, 0, 0, 0)
order by k.share, k.model_id, k.location
limit $2
