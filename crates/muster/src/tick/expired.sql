-- The tenants with leases that have run out since $1; when the first of these did; and the database's time.
select coalesce(array_agg(t.id), '{}') as "tenants!", min(q.leased_until) as first, now() as "at!"
from tenants t
-- One look into the index for each, however much is leased.
cross join lateral (
    select leased_until
    from work_queue
    where tenant_id = t.id and state = 'leased' and leased_until >= $1 and leased_until <= now()
    order by leased_until limit 1
) q
