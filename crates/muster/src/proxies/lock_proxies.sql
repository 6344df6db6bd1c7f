-- Locks these proxies, in the order of their ids. What is counted here stays true until the transaction ends.
select p.id, p.assigned_model_id, p.account_count, p.max_accounts, p.status = 'active' as "active!"
from proxies p
where p.tenant_id = $1 and p.id = any ($2)
order by p.id
for no key update
