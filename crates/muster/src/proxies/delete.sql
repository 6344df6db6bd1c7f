-- Deletes a proxy that no account uses.
delete from proxies
where tenant_id = $1 and id = $2 and account_count = 0 and ($3::bigint is null or xmin::text::bigint = $3)
