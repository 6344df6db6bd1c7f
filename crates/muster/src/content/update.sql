-- Changes what is given of an item of content and leaves the rest.
update model_content
set model_id = coalesce($3, model_id),
    content_type = coalesce($4, content_type),
    image_url = coalesce($5, image_url),
    text_content = case when $6 then $7 else text_content end,
    is_template = coalesce($8, is_template),
    order_priority = coalesce($9, order_priority)
where tenant_id = $1 and id = $2
