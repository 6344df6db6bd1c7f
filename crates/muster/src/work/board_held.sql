-- Counts the accounts of a tenant that are held back, by step and reason, among the first $2 that are.
select q.step as "step!", q.hold as "hold!: muster_wire::accounts::Hold", count(*) as "accounts!"
from (select step, hold from work_queue where tenant_id = $1 and state = 'held' order by model_id limit $2) q
group by q.step, q.hold
order by q.step, count(*) desc
