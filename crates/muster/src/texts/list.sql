-- Walks texts in the order of their ids, from after a key: gives those that match, and the last that was walked where that is
-- as far as it goes. Walked are those that are there twice, or of the model or of the type that the filter names, or templates, so
-- many at most.
select w.id as "id!", w.walked as "walked!", w.matches as "matches!"
from (
    select t.id, row_number() over () as walked,
        coalesce(($3::bigint is null or t.model_id = $3) and ($4::text is null or t.content_type = $4)
            and ($5::boolean is null or t.is_template = $5) and ($6::boolean is null or (t.usage_count = 0) = $6)
            and ($7::text is null or position(lower($7) in lower(t.text_content)) > 0)
            and ($8::boolean is null or t.duplicate = $8), false) as matches
    from (
        select t.id, t.model_id, t.content_type, t.is_template, t.usage_count, t.text_content, t.duplicate
        from text_pools t
        where t.tenant_id = $1 and t.id > $2
            and case
                when $8 then t.duplicate
                when $3::bigint is not null then t.model_id = $3
                when $4::text is not null then t.content_type = $4
                when $5::boolean then t.is_template
                else true
            end
        order by t.id
        limit $10
    ) t
) w
where w.matches or w.walked = $10
order by w.id
limit $9
