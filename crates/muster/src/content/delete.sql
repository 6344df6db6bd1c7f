-- Deletes an item of content. Who was given it under a lease still has its address.
delete from model_content where tenant_id = $1 and id = $2
