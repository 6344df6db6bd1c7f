-- Changes the tenant where it has the version that is expected; a null leaves a column as it is.
update tenants set name = coalesce($3, name), requests_per_minute = coalesce($4, requests_per_minute)
where id = $1 and ($2::bigint is null or xmin::text::bigint = $2)
