-- Forgets accounts of a batch that were moved.
delete from batch_accounts where tenant_id = $1 and batch_id = $2 and account_id = any ($3) and refusal is null
