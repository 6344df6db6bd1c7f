-- Keeps a view, and gives its id; nothing where its owner, or the tenant, has so many already.
insert into views (tenant_id, operator_id, name, filter, columns)
select $1, $2::bigint, $3, $4, $5
where (select count(*) from views where tenant_id = $1 and operator_id is not distinct from $2) < $6
returning id
