-- Takes the id of the next tenant, and sees that tenant's rows for the rest of the transaction.
with taken as materialized (select nextval(pg_get_serial_sequence('tenants', 'id')) as id)
select id as "id!" from taken, lateral set_config('muster.tenant_id', id::text, true)
