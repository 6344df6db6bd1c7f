-- Puts rows ($3, a JSON array) into a table ($2) of the tenant $1, as they were but for the tenant.
select restore_rows($1, $2, $3)
