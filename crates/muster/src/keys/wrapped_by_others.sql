-- Gives the data keys of the tenant that another master key wraps.
select version, wrapped, master_key_id from tenant_keys where tenant_id = $1 and master_key_id <> $2 order by version
