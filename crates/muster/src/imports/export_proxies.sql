-- Gives the next proxies in the order of their ids, as files write them; their secrets sealed.
select p.id, proxy_fields(p) as "fields!", p.password_encrypted, null::bytea as access_token_encrypted
from proxies p
where p.tenant_id = $1 and p.id > $2
order by p.id
limit $3
