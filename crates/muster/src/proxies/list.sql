-- Walks proxies in the order of their ids, from after a key: gives those that match, and the last that was walked where that
-- is as far as it goes. Walked are those of the model, of the location or of the status that the filter names, so many at most.
select w.id as "id!", w.walked as "walked!", w.matches as "matches!"
from (
    select p.id, row_number() over () as walked,
        coalesce(($3::text is null or p.status = $3) and ($5::text is null or p.provider = $5)
            and ($6::text is null or p.location = $6)
            and ($7::boolean is null or (p.account_count < p.max_accounts) = $7)
            and ($8::text is null or position(lower($8) in p.host) > 0), false) as matches
    from (
        select p.id, p.status, p.provider, p.location, p.account_count, p.max_accounts, p.host
        from proxies p
        where p.tenant_id = $1 and ($2::bigint is null or p.id > $2)
            and case
                when $4::text = 'none' then p.assigned_model_id is null
                when $4::text is not null then p.assigned_model_id = (
                    select m.id from models m where m.tenant_id = $1 and (m.name = $4 or m.id::text = $4)
                    order by m.name = $4 desc limit 1)
                when $6::text is not null then p.location = $6
                when $3::text is not null then p.status = $3
                else true
            end
        order by p.id
        limit $10
    ) p
) w
where w.matches or w.walked = $10
order by w.id
limit $9
