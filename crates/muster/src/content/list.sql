-- Walks content in the order of their ids, from after a key: gives what matches, and the last that was walked where that is as
-- far as it goes. Walked is what is there twice, or that of the model or of the type that the filter names, or templates, so many at
-- most.
select w.id as "id!", w.walked as "walked!", w.matches as "matches!"
from (
    select c.id, row_number() over () as walked,
        coalesce(($3::bigint is null or c.model_id = $3) and ($4::text is null or c.content_type = $4)
            and ($5::boolean is null or c.is_template = $5) and ($6::boolean is null or (c.usage_count = 0) = $6)
            and ($7::text is null or position(lower($7) in lower(c.text_content)) > 0
                or position(lower($7) in lower(c.image_url)) > 0)
            and ($8::boolean is null or c.duplicate = $8), false) as matches
    from (
        select c.id, c.model_id, c.content_type, c.is_template, c.usage_count, c.text_content, c.image_url, c.duplicate
        from model_content c
        where c.tenant_id = $1 and c.id > $2
            and case
                when $8 then c.duplicate
                when $3::bigint is not null then c.model_id = $3
                when $4::text is not null then c.content_type = $4
                when $5::boolean then c.is_template
                else true
            end
        order by c.id
        limit $10
    ) c
) w
where w.matches or w.walked = $10
order by w.id
limit $9
