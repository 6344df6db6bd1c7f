-- Finds who signs in, before any tenant is known. Runs as its owner, because no tenant may list operators of others;
-- it answers only for the one address it is asked about.
create or replace function sign_in(p_email text)
    returns table (operator_id bigint, name text, password_hash text, tenant_id bigint, tenant text, role text)
    language sql stable security definer set search_path = public, pg_temp as
$$
    select o.id, o.name, o.password_hash, m.tenant_id, t.name, m.role
    from operators o
    join memberships m on m.operator_id = o.id
    join tenants t on t.id = m.tenant_id
    where o.email = lower(p_email) and o.disabled_at is null
    order by m.tenant_id
$$;
