-- Sees the rows of one tenant for the rest of the transaction.
select set_config('muster.tenant_id', $1, true) as tenant
