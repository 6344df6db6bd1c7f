-- The id of the next account: its secrets are sealed for it before it is stored.
select nextval(pg_get_serial_sequence('accounts', 'id')) as "id!"
