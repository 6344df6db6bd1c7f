-- Takes ids for new texts.
select nextval(pg_get_serial_sequence('text_pools', 'id')) as "id!" from generate_series(1, $1::integer)
