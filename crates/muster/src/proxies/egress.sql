-- Gives what is needed to connect through these proxies, and when each was last changed.
select p.id, p.scheme as "scheme: muster_wire::proxies::Scheme", p.host, p.port, p.username, p.password_encrypted, p.updated_at
from proxies p
where p.tenant_id = $1 and p.id = any ($2)
order by p.id
