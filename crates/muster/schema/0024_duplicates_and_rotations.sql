-- What is in a pool twice and how far an exchange of keys has come, kept: both were looked for in all there is each time.

-- Names what is published and the pool that it is in: what is in a pool twice has one fingerprint. That two which differ share one is
-- as good as impossible: among a million, once in 40 million.
alter table model_content
    add column fingerprint bigint not null
        generated always as (hashtextextended(image_url, hashtextextended(content_type, model_id))) stored,
    add column duplicate boolean not null default false;
alter table text_pools
    add column fingerprint bigint not null
        generated always as (hashtextextended(text_content, hashtextextended(content_type, model_id))) stored,
    add column duplicate boolean not null default false;
create index model_content_fingerprint on model_content (tenant_id, fingerprint);
create index text_pools_fingerprint on text_pools (tenant_id, fingerprint);
create index model_content_duplicate on model_content (tenant_id, id) where duplicate;
create index text_pools_duplicate on text_pools (tenant_id, id) where duplicate;

-- What came, went or changed in pools, appended by triggers; the server's timer marks what is there twice by it, so that nobody who
-- fills a pool waits for another who does.
create table fingerprint_changes (
    tenant_id bigint not null,
    fingerprints bigint[] not null
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index fingerprint_changes_tenant on fingerprint_changes (tenant_id);

-- How many secrets a version has sealed that older ones did, how many of those did not open at the end, and when that was; null while
-- it goes on. Of exchanges that were begun before it is not known whether they ended: asking to go on finds out.
alter table tenant_keys
    add column resealed bigint not null default 0 check (resealed >= 0),
    add column failed bigint not null default 0 check (failed >= 0),
    add column resealed_at timestamptz;

-- What there is already. The owner sees the rows of one tenant at a time.
do
$$
declare
    tenant bigint;
begin
    for tenant in select id from tenants loop
        perform set_config('muster.tenant_id', tenant::text, true);
        insert into fingerprint_changes (tenant_id, fingerprints)
        select tenant, array_agg(fingerprint)
        from (
            select fingerprint from model_content where tenant_id = tenant group by 1 having count(*) > 1
            union all
            select fingerprint from text_pools where tenant_id = tenant group by 1 having count(*) > 1
        ) twice
        having count(*) > 0;
        update tenant_keys set resealed_at = created_at
        where tenant_id = tenant
            and (version = 1 or version < (select max(version) from tenant_keys where tenant_id = tenant));
    end loop;
    perform set_config('muster.tenant_id', '', true);
end
$$;
