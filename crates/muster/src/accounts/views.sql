-- Gives the views of the tenant, and those of one person, by their names.
select id as "id: muster_wire::ViewId", name, filter, columns, operator_id is null as "shared!"
from views
where tenant_id = $1 and (operator_id is null or operator_id = $2)
order by operator_id is not null, name
