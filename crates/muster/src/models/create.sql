-- Makes a model.
insert into models (
    tenant_id, name, description, status, unfollow_ratio, daily_follow_limit, posting_schedule, people_steps)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning id
