-- Tells whether Muster's database has been made.
select exists (select 1 from pg_catalog.pg_database where datname = 'muster')
