-- Imports that were not committed and whose new rows are stored all the same.
with stored as (
    select 'models' as kind, id from models where tenant_id = $1
    union all
    select 'proxies', id from proxies where tenant_id = $1
    union all
    select 'accounts', id from accounts where tenant_id = $1
    union all
    select 'content', id from model_content where tenant_id = $1
    union all
    select 'texts', id from text_pools where tenant_id = $1
)
select 'import ' || i.id || ': ' || i.state || '; ' || count(s.id) || ' of its new rows are stored' as "example!",
    count(*) over () as "count!"
from imports i
join import_rows r on r.tenant_id = $1 and r.import_id = i.id and r.verdict = 'new'
join stored s on s.kind = i.kind and s.id = r.target_id
where i.tenant_id = $1 and i.state in ('reading', 'staged', 'discarded', 'failed')
group by i.id, i.state
order by i.id
limit $2
