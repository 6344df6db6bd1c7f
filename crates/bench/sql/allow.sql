-- Lets tenant $1 ask as often as it can: the load is to be limited by what the server can do.
update tenants set requests_per_minute = 100000000 where id = $1
