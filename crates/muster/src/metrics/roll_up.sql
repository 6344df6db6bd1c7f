-- Counts days of the tenant again, from $2 to $3 or what can have changed; gives how many. Forgets those older than $4 days.
select roll_up_metrics($1, $2, $3, $4) as "days!"
