-- Notes what is in a pool twice, or is marked so, for it to be marked anew.
insert into fingerprint_changes (tenant_id, fingerprints)
select t.id, array_agg(f) from tenants t cross join lateral duplicates_there(t.id) f group by t.id
