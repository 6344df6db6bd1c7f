-- Keeps what is in a pool twice marked. What comes, goes or changes is noted where that happens, and marked a moment later by the
-- server's timer, who sees all that was noted; two who add the same at once would not see each other.

create or replace function fingerprints_noted() returns trigger language plpgsql as
$$
begin
    insert into fingerprint_changes (tenant_id, fingerprints)
    select tenant_id, array_agg(distinct fingerprint) from noted_rows group by tenant_id;
    return null;
end
$$;

-- As for accounts, transition tables are hashed, never looped over: see accounts_updated.
create or replace function fingerprints_changed() returns trigger
    language plpgsql set enable_nestloop = off set enable_hashjoin = on as
$$
begin
    insert into fingerprint_changes (tenant_id, fingerprints)
    select n.tenant_id, array_agg(n.fingerprint) || array_agg(o.fingerprint)
    from new_rows n join old_rows o using (tenant_id, id)
    where n.fingerprint <> o.fingerprint
    group by n.tenant_id;
    return null;
end
$$;

-- Marks what of a tenant is in a pool twice, and no longer what was, by what has been noted; gives how many items were changed.
create or replace function mark_duplicates(p_tenant bigint) returns integer
    language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as
$$
declare
    v_fingerprints bigint[];
    v_content bigint[];
    v_texts bigint[];
begin
    with changes as (
        delete from fingerprint_changes where tenant_id = p_tenant returning fingerprints
    )
    select array_agg(distinct fingerprint) into v_fingerprints from changes cross join unnest(fingerprints) fingerprint;
    if v_fingerprints is null then
        return 0;
    end if;
    v_content := array(
        select id from (
            select id, duplicate, count(*) over (partition by fingerprint) > 1 as twice
            from model_content where tenant_id = p_tenant and fingerprint = any (v_fingerprints)
        ) c where duplicate <> twice);
    v_texts := array(
        select id from (
            select id, duplicate, count(*) over (partition by fingerprint) > 1 as twice
            from text_pools where tenant_id = p_tenant and fingerprint = any (v_fingerprints)
        ) t where duplicate <> twice);
    -- In one order, always, as uses are added: two that overlap wait for each other and do not deadlock.
    perform from model_content c where c.tenant_id = p_tenant and c.id = any (v_content) order by c.id for no key update;
    perform from text_pools t where t.tenant_id = p_tenant and t.id = any (v_texts) order by t.id for no key update;
    update model_content set duplicate = not duplicate where tenant_id = p_tenant and id = any (v_content);
    update text_pools set duplicate = not duplicate where tenant_id = p_tenant and id = any (v_texts);
    return cardinality(v_content) + cardinality(v_texts);
end
$$;

-- The fingerprints of what of a tenant is in a pool twice, or is marked so.
create or replace function duplicates_there(p_tenant bigint) returns setof bigint language sql stable as
$$
    select fingerprint from model_content where tenant_id = p_tenant group by 1 having count(*) > 1 or bool_or(duplicate)
    union all
    select fingerprint from text_pools where tenant_id = p_tenant group by 1 having count(*) > 1 or bool_or(duplicate)
$$;
