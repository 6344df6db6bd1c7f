-- Begins what the server does in one transaction.
begin
