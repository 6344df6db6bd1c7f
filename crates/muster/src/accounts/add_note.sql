-- Keeps a note on an account.
insert into account_notes (tenant_id, account_id, operator_id, text) values ($1, $2, $3, $4)
