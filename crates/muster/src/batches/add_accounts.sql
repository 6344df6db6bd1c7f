-- Writes down which accounts a batch is about.
insert into batch_accounts (tenant_id, batch_id, account_id) select $1, $2, unnest($3::bigint[])
