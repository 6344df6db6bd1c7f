-- Gives a model's name and what the variables of its texts stand for, of the first of its accounts where it has one.
select m.name as model, a.username as "username?", a.location_city as city, a.location_campus as campus, a.location_niche as niche
from models m
left join lateral (
    select username, location_city, location_campus, location_niche from accounts
    where tenant_id = $1 and model_id = m.id
    order by id limit 1
) a on true
where m.tenant_id = $1 and m.id = $2
