-- Ends leases that have run out since $5, each as a failed attempt; gives how many.
select reap_leases($1, $2, $3, $4, $5) as "reaped!"
