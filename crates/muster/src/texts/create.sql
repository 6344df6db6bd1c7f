-- Makes a text.
insert into text_pools (
    tenant_id, model_id, content_type, text_content, is_template, created_by)
values ($1, $2, $3, $4, $5, $6)
returning id
