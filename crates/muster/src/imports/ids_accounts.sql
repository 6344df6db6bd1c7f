-- Takes ids for new accounts.
select nextval(pg_get_serial_sequence('accounts', 'id')) as "id!" from generate_series(1, $1::integer)
