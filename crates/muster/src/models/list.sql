-- Gives models after a key, in the order of their ids.
select
    id as "id: muster_wire::ModelId", name, description, status as "status: muster_wire::models::ModelStatus",
    pause_reason, unfollow_ratio, daily_follow_limit, posting_schedule, people_steps as "people_steps: muster_wire::models::Steps",
    total_accounts, active_accounts, created_at, updated_at, xmin::text::bigint as "version!"
from models
where tenant_id = $1 and id > $2
    and ($3::text is null or status = $3)
    and ($4::text is null or position(lower($4) in lower(name)) > 0)
order by id
limit $5
