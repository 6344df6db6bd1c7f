-- Gives every version of the tenant's data key, oldest first, and how far sealing anew by it has come.
select version, created_at, master_key_id, resealed, failed, resealed_at
from tenant_keys where tenant_id = $1 order by version
