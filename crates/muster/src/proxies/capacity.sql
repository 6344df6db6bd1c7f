-- Counts the proxies of the tenant and what they carry and cost: all together, for each model and at each location, and
-- of the last two no more than $2, those that cost most. A proxy out of use has no places but those that are taken.
select s.share as "share!", s.model_id as "model_id?: muster_wire::ModelId", coalesce(s.location, m.name) as name,
    s.proxies as "proxies!", s.failed as "failed!", s.inactive as "inactive!", s.accounts as "accounts!",
    s.places as "places!", s.monthly_cost as "monthly_cost!"
from (
    select case when grouping(p.assigned_model_id) = 0 then 'model' when grouping(p.location) = 0 then 'location'
            else 'total' end as share,
        p.assigned_model_id as model_id, p.location, count(*) as proxies,
        count(*) filter (where p.status = 'error') as failed,
        count(*) filter (where p.status = 'inactive') as inactive,
        coalesce(sum(p.account_count), 0) as accounts,
        coalesce(sum(case p.status when 'active' then p.max_accounts else p.account_count end), 0) as places,
        coalesce(sum(p.monthly_cost), 0) as monthly_cost,
        row_number() over (
            partition by grouping(p.assigned_model_id, p.location) order by sum(p.monthly_cost) desc, count(*) desc,
            p.assigned_model_id, p.location) as place
    from proxies p
    where p.tenant_id = $1
    group by grouping sets ((), (p.assigned_model_id), (p.location))
) s
left join models m on m.tenant_id = $1 and m.id = s.model_id
where s.place <= $2
order by s.place
