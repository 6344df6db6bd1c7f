-- Takes ids for new content.
select nextval(pg_get_serial_sequence('model_content', 'id')) as "id!" from generate_series(1, $1::integer)
