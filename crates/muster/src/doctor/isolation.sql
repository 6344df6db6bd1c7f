-- Ways past row-level security: a serving role that is above it, and tables where it is not enabled, forced and in use.
with ways as (
    select 'the role ' || rolname || ' is a superuser or bypasses row-level security' as way from pg_roles
    where rolname in (current_user, 'muster_app', 'muster_scheduler') and (rolsuper or rolbypassrls)
    union all
    select 'the role ' || current_user || ' has the rights of the owner of ' || relname from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and pg_has_role(current_user, relowner, 'usage')
    union all
    select relname || ' is without forced row-level security' from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname <> '_sqlx_migrations'
        and not (relrowsecurity and relforcerowsecurity)
    union all
    select c.relname || ' is without its policy of tenants' from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant')
)
select way as "example!", count(*) over () as "count!"
from ways
order by way
limit $1
