-- Changes a bot where it has the version that is expected; a null leaves a column as it is.
update bots set name = coalesce($4, name), description = coalesce($5, description)
where tenant_id = $1 and id = $2 and ($3::bigint is null or xmin::text::bigint = $3)
