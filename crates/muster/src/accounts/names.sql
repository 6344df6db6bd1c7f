-- Gives the names of these operators and bots of a tenant, as far as they belong to it.
select 'operator' as "kind!", o.id as "id!", o.name as "name!"
from operators o
where o.id = any ($2) and exists (select from memberships m where m.tenant_id = $1 and m.operator_id = o.id)
union all
select 'bot', b.id, b.name from bots b where b.tenant_id = $1 and b.id = any ($3)
