-- Keeps a text as it is until this transaction ends.
select id from text_pools where tenant_id = $1 and id = $2 for update
