-- Makes an item of content.
insert into model_content (
    tenant_id, model_id, content_type, image_url, text_content, is_template, order_priority, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning id
