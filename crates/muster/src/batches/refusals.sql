-- Gives the first accounts that a batch refused, and why.
select r.account_id as "account_id: muster_wire::AccountId", a.username, r.refusal as "reason!"
from batch_accounts r
join accounts a on a.tenant_id = $1 and a.id = r.account_id
where r.tenant_id = $1 and r.batch_id = $2 and r.refusal is not null
order by r.account_id
limit $3
