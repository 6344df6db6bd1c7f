-- Stores the hashes of a person's new recovery codes.
insert into recovery_codes (tenant_id, operator_id, code_hash) select $1, $2, unnest($3::bytea[])
