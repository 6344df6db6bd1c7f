-- Gives the tenant's owners, who stay what they are until this transaction ends.
select operator_id as "id: muster_wire::OperatorId" from memberships
where tenant_id = $1 and role = 'owner'
order by operator_id
for update
