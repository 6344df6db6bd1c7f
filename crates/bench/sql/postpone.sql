-- Has all accounts of tenant $1 but the first $2 be ready in a year. Their steps are queued anew: updated, they would take the room that
-- is left beside those that are ready, which these need when they are claimed.
with gone as (
    delete from work_queue q using accounts a
    where q.tenant_id = $1 and a.tenant_id = $1 and a.id = q.account_id and a.authorisation_reference::integer >= $2
    returning q.tenant_id, q.account_id, q.model_id, q.step, q.people_mask, q.state, q.authorised_until
)
insert into work_queue (tenant_id, account_id, model_id, step, people_mask, state, authorised_until, run_at)
select tenant_id, account_id, model_id, step, people_mask, state, authorised_until, now() + interval '1 year' from gone
