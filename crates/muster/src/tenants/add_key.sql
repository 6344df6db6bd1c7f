-- Stores a data key of the tenant, wrapped.
insert into tenant_keys (tenant_id, version, wrapped, master_key_id) values ($1, $2, $3, $4)
