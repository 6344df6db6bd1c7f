-- Imports of which a part is stored: committed ones with new rows that made nothing, others with new rows that made
-- something.
select 'import ' || i.id || ': ' || i.state || '; of its new rows ' || n.stored || ' made something, ' || n.unstored
        || ' did not' as "example!",
    count(*) over () as "count!"
from imports i
cross join lateral (
    select count(r.target_id) as stored, count(*) - count(r.target_id) as unstored
    from import_rows r
    where r.tenant_id = $1 and r.import_id = i.id and r.verdict = 'new'
) n
where i.tenant_id = $1
    and case
        when i.state = 'committed' then n.unstored > 0
        when i.state in ('reading', 'staged', 'discarded', 'failed') then n.stored > 0
        else false end
order by i.id
limit $2
