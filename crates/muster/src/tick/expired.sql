-- The tenants with leases that have run out since $1; when the first of these did; and the database's time.
select coalesce(array_agg(distinct tenant_id), '{}') as "tenants!", min(leased_until) as first, now() as "at!"
from work_queue
where state = 'leased' and leased_until >= $1 and leased_until <= now()
