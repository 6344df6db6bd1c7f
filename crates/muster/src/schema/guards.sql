-- Says whether this connection could see past row-level security, and whether the server could lose acknowledged work.
select current_user::text as "role!",
    (select rolsuper or rolbypassrls from pg_roles where rolname = current_user)
        or exists (
            select from pg_class
            where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
                and pg_has_role(current_user, relowner, 'usage'))
        as "bypasses!",
    current_setting('server_version_num')::integer / 10000 as "major!",
    array(
        select name::text from pg_settings
        where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off') as "unsafe_settings!"
