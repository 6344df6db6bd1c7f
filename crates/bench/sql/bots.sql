-- Makes bots in tenant $1, $2 of them, that work from inside PostgreSQL; gives their ids.
with acting as materialized (select set_config('muster.tenant_id', $1::text, true))
insert into bots (tenant_id, name) select $1, 'inside ' || n from acting, generate_series(1, $2) n
returning id
