-- Whether there is such an account.
select exists (select from accounts where tenant_id = $1 and id = $2) as "exists!"
