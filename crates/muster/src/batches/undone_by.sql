-- Gives the latest batch that takes back what this one did.
select id as "id: muster_wire::BatchId" from batches where tenant_id = $1 and undoes = $2 order by id desc limit 1
