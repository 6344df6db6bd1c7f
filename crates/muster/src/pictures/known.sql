-- Gives those of these pictures that are kept.
select sha256 from pictures where tenant_id = $1 and sha256 = any ($2::bytea[])
