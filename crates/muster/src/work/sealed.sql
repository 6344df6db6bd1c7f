-- Gives the sealed secrets of the accounts whose leases the caller still holds, and of their proxies.
select q.account_id as "account!: muster_wire::AccountId", q.lease as "token!", a.password_encrypted,
    a.access_token_encrypted, p.id as "proxy_id!: muster_wire::ProxyId", p.password_encrypted as proxy_password_encrypted
from unnest($4::bigint[], $5::bigint[]) i (account_id, lease)
join work_queue q on q.tenant_id = $1 and q.account_id = i.account_id
join accounts a on a.tenant_id = $1 and a.id = q.account_id
join proxies p on p.tenant_id = $1 and p.id = a.proxy_id
where case when q.state = 'leased' and q.lease = i.lease then q.leased_until > now() and q.bot_id is not distinct from $2
    and q.operator_id is not distinct from $3 end
