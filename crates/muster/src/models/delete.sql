-- Deletes a model with its content and its texts.
delete from models where tenant_id = $1 and id = $2
