-- Keeps an item of content as it is until this transaction ends.
select id from model_content where tenant_id = $1 and id = $2 for update
