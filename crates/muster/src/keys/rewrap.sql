-- Exchanges the wrapping of a data key that is still the one that was read.
update tenant_keys set wrapped = $4, master_key_id = $5 where tenant_id = $1 and version = $2 and wrapped = $3
