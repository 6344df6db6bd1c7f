-- Counts the tenant $1's accounts, and has new rows get numbers after those that were restored.
select finish_restore($1)
