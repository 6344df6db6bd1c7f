-- Notes that nothing is left for the newest version of the tenant's data key to seal anew, but what did not open.
update tenant_keys k set resealed_at = now(), failed = $2
where k.tenant_id = $1 and k.resealed_at is null
    and k.version = (select max(n.version) from tenant_keys n where n.tenant_id = $1)
