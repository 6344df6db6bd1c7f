-- Deletes a text. Who was given it under a lease still has it.
delete from text_pools where tenant_id = $1 and id = $2
