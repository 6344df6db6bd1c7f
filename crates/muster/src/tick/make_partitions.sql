-- Makes the partitions of the months ahead; gives how many were missing.
select make_partitions($1) as "made!"
