-- Changes what is given of a model and leaves the rest; the reason of a pause goes with the pause.
update models
set name = coalesce($3, name),
    description = case when $4 then $5 else description end,
    status = coalesce($6, status),
    pause_reason = case when $6 = 'paused' then $11 when $6 is null then pause_reason end,
    unfollow_ratio = coalesce($7, unfollow_ratio),
    daily_follow_limit = coalesce($8, daily_follow_limit),
    posting_schedule = coalesce($9, posting_schedule),
    people_steps = coalesce($10, people_steps),
    updated_at = now()
where tenant_id = $1 and id = $2
