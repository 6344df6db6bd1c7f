-- What a transaction that goes on sees: nothing that dies after this can be removed while it does.
select pg_current_snapshot()::text
