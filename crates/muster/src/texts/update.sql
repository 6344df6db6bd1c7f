-- Changes what is given of a text and leaves the rest.
update text_pools
set model_id = coalesce($3, model_id),
    content_type = coalesce($4, content_type),
    text_content = coalesce($5, text_content),
    is_template = coalesce($6, is_template)
where tenant_id = $1 and id = $2
