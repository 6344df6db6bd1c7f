-- Whether there is such a model.
select exists (select from models where tenant_id = $1 and id = $2) as "exists!"
