-- Takes ids for new models.
select nextval(pg_get_serial_sequence('models', 'id')) as "id!" from generate_series(1, $1::integer)
