-- Notes why accounts of a batch were not moved.
update batch_accounts b set refusal = left(r.reason, 500)
from unnest($3::bigint[], $4::text[]) r (id, reason)
where b.tenant_id = $1 and b.batch_id = $2 and b.account_id = r.id
