-- The model of this name or, where no model is called so, of this id.
select id from models where tenant_id = $1 and (name = $2 or id::text = $2) order by (name = $2) desc limit 1
