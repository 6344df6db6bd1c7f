-- Months of history and step log that are older than $1 months and not dropped, because no drill of the last day found a backup good.
select partition || ' waits for a good drill' as "example!", count(*) over () as "count!"
from old_partitions($1)
where not is_backed_up()
order by partition
limit $2
