-- Takes ids for new proxies.
select nextval(pg_get_serial_sequence('proxies', 'id')) as "id!" from generate_series(1, $1::integer)
