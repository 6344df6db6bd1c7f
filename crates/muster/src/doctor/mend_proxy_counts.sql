-- Notes what the counters of all proxies of a model or at a location lack, or have too much of, as changes to be folded in.
insert into proxy_count_changes (
    tenant_id, share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost)
select b.tenant_id, b.share, b.model_id, b.location, sum(b.proxies), sum(b.failed), sum(b.inactive), sum(b.accounts),
    sum(b.places), sum(b.monthly_cost)
from (
    select t.id as tenant_id, p.share, p.model_id, p.location, p.proxies, p.failed, p.inactive, p.accounts, p.places,
        p.monthly_cost
    from tenants t cross join lateral proxies_there(t.id) p
    union all
    select t.id, p.share, p.model_id, p.location, -p.proxies, -p.failed, -p.inactive, -p.accounts, -p.places,
        -p.monthly_cost
    from tenants t cross join lateral counted_proxies(t.id) p
) b
group by 1, 2, 3, 4
having (sum(b.proxies), sum(b.failed), sum(b.inactive), sum(b.accounts), sum(b.places), sum(b.monthly_cost))
    <> (0, 0, 0, 0, 0, 0)
