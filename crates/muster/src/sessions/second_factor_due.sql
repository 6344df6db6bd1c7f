-- Whether the person presents a second factor in this tenant, and the time by the database's clock, in seconds.
select exists (select from second_factors where tenant_id = $1 and operator_id = $2) as "due!",
    extract(epoch from now())::bigint as "now!"
