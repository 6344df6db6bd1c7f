-- Changes the content that a staged import changes, or takes that back ($3), where they still hold what they did.
update model_content c
set is_template = case when d.v ? 'is_template' then (d.v ->> 'is_template')::boolean else c.is_template end,
    order_priority = case when d.v ? 'order_priority' then (d.v ->> 'order_priority')::integer else c.order_priority end
from import_rows r, lateral (select case when $3 then r.before else r.data end as v) d
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'changed' and c.tenant_id = $1 and c.id = r.target_id
    and fields_hold(content_fields(c), case when $3 then r.data else r.before end)
