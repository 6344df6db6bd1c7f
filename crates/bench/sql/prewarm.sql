-- Reads every table and index of the database into shared_buffers.
select count(pg_prewarm(oid)) from pg_class where relkind in ('r', 'i', 'm', 't')
