-- Stores rows of a file that were compared with what is stored.
insert into import_rows (
    tenant_id, import_id, line, verdict, key, data, password_encrypted, access_token_encrypted, raw_encrypted, faults,
    before, before_password_encrypted, before_access_token_encrypted, target_id)
select $1, $2, r.line, r.verdict, r.key, r.data, r.password, r.token, r.raw, r.faults, r.before, r.before_password,
    r.before_token, r.target_id
from unnest(
    $3::bigint[], $4::text[], $5::text[], $6::jsonb[], $7::bytea[], $8::bytea[], $9::bytea[], $10::jsonb[], $11::jsonb[],
    $12::bytea[], $13::bytea[], $14::bigint[])
    as r (line, verdict, key, data, password, token, raw, faults, before, before_password, before_token, target_id)
