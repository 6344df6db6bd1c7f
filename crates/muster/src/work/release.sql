-- Gives back those of the leases that the caller still holds; no attempt is counted.
select account_id as "account!: muster_wire::AccountId", lease as "token!" from release_leases($1, $2, $3, $4, $5)
