-- Adds to what a version of the tenant's data key has sealed anew.
update tenant_keys set resealed = resealed + $3 where tenant_id = $1 and version = $2
