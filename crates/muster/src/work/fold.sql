-- Adds noted uses to the counters of a tenant's pools; gives how many items were touched. Where more than $2 are noted, not before
-- the first of them is $3 seconds old.
select case when n.uses <= $2 or n.since <= now() - make_interval(secs => $3) then fold_content_uses($1) else 0 end as "folded!"
from (
    select coalesce(sum(cardinality(content_ids)), 0) as uses, min(at) as since from content_uses where tenant_id = $1
) n
