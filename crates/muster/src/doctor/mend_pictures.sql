-- Drops the pictures that no content shows, of every tenant.
delete from pictures p
where not exists (select from model_content c where c.tenant_id = p.tenant_id and c.picture = p.sha256)
