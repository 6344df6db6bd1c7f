-- Locks these accounts, in the order of their ids, and says what decides whether they can be moved.
select id as "id: muster_wire::AccountId", lifecycle_state as "state: muster_wire::State",
    warmup_completed_at is not null as "warmup_complete!", model_id is not null as "has_model!",
    authorisation_basis is not null as "authorised!", coalesce(authorisation_expires_at <= now(), false) as "lapsed!"
from accounts
where tenant_id = $1 and id = any ($2)
order by id for no key update
