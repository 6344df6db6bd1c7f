-- Pictures that are kept: no longer than an item of content shows them.

-- After items of content were deleted or changed: drops the pictures that none shows any more. Each is locked first, so that
-- of two who take the last items of one, the second sees what the first did.
create or replace function pictures_left() returns trigger
language plpgsql as
$$
declare
    v_tenants bigint[];
    v_pictures bytea[];
begin
    if tg_op = 'DELETE' then
        select array_agg(l.tenant_id), array_agg(l.picture) into v_tenants, v_pictures
        from (select distinct tenant_id, picture from old_rows where picture is not null) l;
    else
        select array_agg(l.tenant_id), array_agg(l.picture) into v_tenants, v_pictures
        from (
            select distinct o.tenant_id, o.picture
            from old_rows o
            join new_rows n on n.tenant_id = o.tenant_id and n.id = o.id
            where o.picture is not null and o.picture is distinct from n.picture) l;
    end if;
    if v_pictures is null then
        return null;
    end if;
    perform from pictures p
    where p.tenant_id = any (v_tenants) and p.sha256 = any (v_pictures)
    order by p.tenant_id, p.sha256
    for update;
    delete from pictures p
    where p.tenant_id = any (v_tenants) and p.sha256 = any (v_pictures)
        and not exists (select from model_content c where c.tenant_id = p.tenant_id and c.picture = p.sha256);
    return null;
end
$$;
