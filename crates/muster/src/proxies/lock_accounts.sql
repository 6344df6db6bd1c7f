-- Locks these accounts, in the order of their ids, and says where they are now and whether they may have a proxy.
select a.id, a.model_id, a.proxy_id,
    (a.proxy_id is not null or (
        a.lifecycle_state = 'imported' and a.status = 'active' and a.authorisation_basis is not null
        and (a.authorisation_expires_at is null or a.authorisation_expires_at > now()))) as "may_have_proxy!"
from accounts a
where a.tenant_id = $1 and a.id = any ($2)
order by a.id
for no key update
