-- Promotes this server, and waits until it takes writes; false when it does not in time.
select pg_promote(true, $1) as "promoted!"
