-- Keeps a picture, once: one that is kept already stays as it is, and until this transaction ends.
insert into pictures (tenant_id, sha256, media_type, bytes, created_by)
values ($1, $2, $3, $4, $5)
on conflict (tenant_id, sha256) do update set created_at = pictures.created_at
