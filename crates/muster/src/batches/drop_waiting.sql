-- Forgets the accounts of a batch that were neither moved nor refused.
delete from batch_accounts where tenant_id = $1 and batch_id = $2 and refusal is null
