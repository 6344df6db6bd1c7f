-- Keeps a model as it is until this transaction ends: nobody else changes it, and nothing new comes to belong to it.
select id from models where tenant_id = $1 and id = $2 for update
