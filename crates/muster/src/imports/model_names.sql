-- Gives those of these names that are names of models.
select name from models where tenant_id = $1 and name = any ($2::text[])
