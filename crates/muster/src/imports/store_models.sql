-- Stores the new models of a staged import.
insert into models (
    tenant_id, id, name, description, status, unfollow_ratio, daily_follow_limit, posting_schedule, people_steps)
overriding system value
select $1, r.target_id, r.data ->> 'name', r.data ->> 'description', r.data ->> 'status',
    (r.data ->> 'unfollow_ratio')::integer, (r.data ->> 'daily_follow_limit')::integer, r.data -> 'posting_schedule',
    array(select step::smallint from jsonb_array_elements_text(r.data -> 'people_steps') as s (step))
from import_rows r
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'new'
order by r.line
