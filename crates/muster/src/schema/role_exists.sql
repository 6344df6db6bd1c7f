-- Whether the cluster has this role.
select exists (select from pg_roles where rolname = $1) as "exists!"
