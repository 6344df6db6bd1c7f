-- Begins a transaction that sees everything as it is now, so that nothing that dies after this can be removed while it goes on.
begin isolation level repeatable read;
select pg_current_snapshot();
