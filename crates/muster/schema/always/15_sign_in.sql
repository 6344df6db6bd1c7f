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

-- The tenants that the acting operator may enter. Runs as its owner, because a tenant cannot see the memberships of
-- others; it answers only about the person who asks.
create or replace function my_tenants() returns table (tenant_id bigint, name text, role text)
    language sql stable security definer set search_path = public, pg_temp as
$$
    select m.tenant_id, t.name, m.role
    from memberships m
    join tenants t on t.id = m.tenant_id
    join operators o on o.id = m.operator_id
    where m.operator_id = nullif(current_setting('muster.operator_id', true), '')::bigint and o.disabled_at is null
    order by m.tenant_id
$$;

-- Makes the person with this address a member of the acting tenant, and gives their id; null where they are one already.
-- Runs as its owner, because whether a person of this address exists is nothing that the tenant may see: a person who is
-- new and one who belongs to another tenant are added alike.
create or replace function add_member(p_email text, p_name text, p_role text) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as
$$
declare
    person bigint;
begin
    insert into operators (email, name) values (lower(p_email), p_name)
    on conflict (email) do update set email = excluded.email
    returning id into person;
    insert into memberships (tenant_id, operator_id, role) values (muster_tenant(), person, p_role)
    on conflict do nothing;
    return case when found then person end;
end
$$;

-- Whether the acting tenant may let this member set a password by a link. It may not where that would hand it a person of
-- another tenant: the person has to belong to it alone, or have no password yet and have been added by it first. Runs as
-- its owner, because a tenant cannot see the memberships of others; it answers only about members of the acting tenant.
create or replace function may_set_password(p_operator bigint) returns boolean
    language sql stable security definer set search_path = public, pg_temp as
$$
    select exists (select from memberships m where m.tenant_id = muster_tenant() and m.operator_id = p_operator)
        and (
            not exists (select from memberships m where m.operator_id = p_operator and m.tenant_id <> muster_tenant())
            or (select o.password_hash is null from operators o where o.id = p_operator)
                and muster_tenant() = (
                    select m.tenant_id from memberships m where m.operator_id = p_operator
                    order by m.created_at, m.tenant_id limit 1)
        )
$$;
