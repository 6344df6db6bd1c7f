-- Looks at accounts that want a proxy, in the order of their ids: those named ($2), or else imported ones that match. Says
-- what stands in the way of each, and on demand ($9) how many match in all; else no more are looked at than are given.
with matching as not materialized (
    select a.id, case
            when a.lifecycle_state <> 'imported' then 'not_imported'
            when a.status <> 'active' then 'account_not_active'
            when a.authorisation_basis is null then 'not_authorised'
            when a.authorisation_expires_at <= now() then 'authorisation_lapsed'
        end as reason
    from accounts a
    where a.tenant_id = $1
        and case when $2::bigint[] is null then a.lifecycle_state = 'imported' else a.id = any ($2) end
        and ($3::bigint is null or a.id > $3)
        and ($4::text is null or ($4 = 'none' and a.model_id is null) or a.model_id in (
            select m.id from models m where m.tenant_id = $1 and (m.name = $4 or m.id::text = $4)))
        and ($5::bigint is null or a.model_id = $5)
        and ($6::text is null or a.location_city = $6)
        and ($7::text is null or a.location_campus = $7)
        and ($8::text is null or a.location_niche = $8)
        and ($10::text is null or position(lower($10) in a.username) > 0)
    order by a.id
)
select m.id as "id!", m.reason as "reason: muster_wire::proxies::Unplaced",
    case when $9::boolean then (select count(*) from matching) end as total
from matching m
limit $11
