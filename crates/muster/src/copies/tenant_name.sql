-- The name of the tenant $1.
select name from tenants where id = $1
