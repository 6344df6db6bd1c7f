-- Changes the texts that a staged import changes, or takes that back ($3), where they still hold what they did.
update text_pools t
set is_template = case when d.v ? 'is_template' then (d.v ->> 'is_template')::boolean else t.is_template end
from import_rows r, lateral (select case when $3 then r.before else r.data end as v) d
where r.tenant_id = $1 and r.import_id = $2 and r.verdict = 'changed' and t.tenant_id = $1 and t.id = r.target_id
    and fields_hold(text_fields(t), case when $3 then r.data else r.before end)
