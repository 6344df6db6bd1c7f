-- Has the first $2 accounts of tenant $1 become ready one after the other from $3 on, in seconds since 1970, so many a second
-- as $4 says; and all others in a year.
update work_queue
set run_at = case when account_id <= $2 then to_timestamp($3 + account_id / $4) else now() + interval '1 year' end
where tenant_id = $1
