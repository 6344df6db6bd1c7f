-- Gives the tenant that was made first, or null.
select min(id) as id from tenants
