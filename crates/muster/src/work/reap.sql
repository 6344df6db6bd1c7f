-- Ends leases that have run out, each as a failed attempt; gives how many.
select reap_leases($1, $2, $3, $4) as "reaped!"
