-- Leads the accounts of tenant $1 on.
call bench.advance($1)
