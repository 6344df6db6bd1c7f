-- Takes ids for new rows of a table.
select nextval((select pg_get_serial_sequence($1, 'id')::regclass)) as "id!" from generate_series(1, $2::integer)
