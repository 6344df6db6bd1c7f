-- Leads the accounts of tenant $1 on: $2 which part from 0 on, $3 of how many.
call bench.advance($1, $2, $3)
