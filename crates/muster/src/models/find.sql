-- Gives the id of the model of this name or, where there is none, of this number.
select id as "id: muster_wire::ModelId" from models
where tenant_id = $1 and (name = $2 or id = $3)
order by name = $2 desc
limit 1
