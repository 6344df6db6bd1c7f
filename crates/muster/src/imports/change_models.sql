-- Changes the models that a staged import changes, or takes that back ($3), where they still hold what they did.
update models m
set description = case when d.v ? 'description' then d.v ->> 'description' else m.description end,
    status = case when d.v ? 'status' then d.v ->> 'status' else m.status end,
    unfollow_ratio = case when d.v ? 'unfollow_ratio' then (d.v ->> 'unfollow_ratio')::integer else m.unfollow_ratio end,
    daily_follow_limit = case when d.v ? 'daily_follow_limit' then (d.v ->> 'daily_follow_limit')::integer else m.daily_follow_limit end,
    posting_schedule = case when d.v ? 'posting_schedule' then d.v -> 'posting_schedule' else m.posting_schedule end,
    people_steps = case when d.v ? 'people_steps'
        then array(select step::smallint from jsonb_array_elements_text(d.v -> 'people_steps') as s (step))
        else m.people_steps end,
    updated_at = now()
from import_rows r, lateral (select case when $3 then r.before else r.data end as v) d
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'changed' and m.tenant_id = $1 and m.id = r.target_id
    and fields_hold(model_fields(m), case when $3 then r.data else r.before end)
