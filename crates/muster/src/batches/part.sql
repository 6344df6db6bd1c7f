-- Gives the next accounts of a batch that are to be moved.
select account_id from batch_accounts
where tenant_id = $1 and batch_id = $2 and refusal is null
order by account_id
limit $3
