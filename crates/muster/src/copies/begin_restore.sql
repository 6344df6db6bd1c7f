-- Has rows of the tenant $1 taken as they are until finish_restore: what triggers would derive from them is in the copy too.
select begin_restore($1)
