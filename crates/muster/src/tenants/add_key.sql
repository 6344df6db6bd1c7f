-- Stores a data key of the tenant, wrapped. There is nothing for the first one to seal anew.
insert into tenant_keys (tenant_id, version, wrapped, master_key_id, resealed_at)
values ($1, $2, $3, $4, case when $2 = 1 then now() end)
