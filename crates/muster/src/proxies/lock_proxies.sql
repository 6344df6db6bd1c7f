-- Locks, in the order of their ids, the proxies that accounts of these models could be given ($2; or only proxy $3), and
-- the one that they leave ($4). What is counted here stays true until the transaction ends.
select p.id, p.assigned_model_id, p.account_count, p.max_accounts, p.status = 'active' as "active!"
from proxies p
where p.tenant_id = $1 and (p.id = $4 or case
    when $3::bigint is not null then p.id = $3
    else p.status = 'active' and p.account_count < p.max_accounts
        and (p.assigned_model_id is null or p.assigned_model_id = any ($2)) end)
order by p.id
for no key update
