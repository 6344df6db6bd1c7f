-- What a drain left, of all tenants: attempts logged as completed, and accounts whose warm-up a person now reviews.
select
    (select count(*) from warmup_step_logs where status = 'completed' and completed_at is not null),
    (select count(*) from accounts where lifecycle_state = 'human_review' and warmup_completed_at is not null),
    (select count(*) from account_state_history where to_state = 'human_review')
