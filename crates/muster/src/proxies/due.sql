-- Names the proxies whose last test failed and is older than this, the longest waiting first.
select p.id
from proxies p
where p.tenant_id = $1 and p.status = 'error' and p.last_tested_at < now() - make_interval(secs => $2)
order by p.last_tested_at
limit $3
