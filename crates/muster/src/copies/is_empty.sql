-- Whether the tenant $1 has nothing yet that a copy could be mixed up with.
select not exists (select from models where tenant_id = $1) and not exists (select from accounts where tenant_id = $1)
    and not exists (select from proxies where tenant_id = $1) and not exists (select from bots where tenant_id = $1) as "empty!"
