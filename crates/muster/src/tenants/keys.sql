-- Gives every data key of the tenant, wrapped.
select version, wrapped, master_key_id from tenant_keys where tenant_id = $1
