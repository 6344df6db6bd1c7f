-- Extends those of the leases that the caller still holds; gives when each of those ends.
select account_id as "account!: muster_wire::AccountId", lease as "token!", leased_until as "until!"
from extend_leases($1, $2, $3, $4, $5, $6)
