-- Pictures that are kept: no longer than an item of content shows them.

-- Drops those of these pictures that no item shows any more. Each is locked first, so that of two who take the last items of one,
-- the second sees what the first did.
create or replace function leave_pictures(p_tenant bigint, p_pictures bytea[]) returns void
    language sql set enable_seqscan = off as
$$
    select from pictures p
    where p.tenant_id = p_tenant and p.sha256 = any (p_pictures)
    order by p.sha256
    for update;
    delete from pictures p
    where p.tenant_id = p_tenant and p.sha256 = any (p_pictures)
        and not exists (select from model_content c where c.tenant_id = p.tenant_id and c.picture = p.sha256);
$$;

-- After items of content were deleted or changed: drops the pictures that none shows any more.
create or replace function pictures_left() returns trigger
language plpgsql as
$$
begin
    if tg_op = 'DELETE' then
        perform leave_pictures(l.tenant_id, l.pictures)
        from (
            select tenant_id, array_agg(distinct picture) as pictures
            from old_rows
            where picture is not null
            group by tenant_id) l;
    else
        perform leave_pictures(l.tenant_id, l.pictures)
        from (
            select o.tenant_id, array_agg(distinct o.picture) as pictures
            from old_rows o
            join new_rows n on n.tenant_id = o.tenant_id and n.id = o.id
            where o.picture is not null and o.picture is distinct from n.picture
            group by o.tenant_id) l;
    end if;
    return null;
end
$$;
