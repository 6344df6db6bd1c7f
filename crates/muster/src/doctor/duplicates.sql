-- Content and texts that are marked as being in a pool twice and are not, or the other way round, but for what has changed since the
-- last time that they were marked.
select i.example || case when i.duplicate then ' is marked as there twice' else ' is not marked as there twice' end as "example!",
    count(*) over () as "count!"
from (
    select 'content ' || id as example, fingerprint, duplicate, count(*) over (partition by fingerprint) > 1 as twice
    from model_content where tenant_id = $1
    union all
    select 'text ' || id, fingerprint, duplicate, count(*) over (partition by fingerprint) > 1
    from text_pools where tenant_id = $1
) i
where i.duplicate <> i.twice
    and i.fingerprint not in (select unnest(f.fingerprints) from fingerprint_changes f where f.tenant_id = $1)
order by i.example
limit $2
