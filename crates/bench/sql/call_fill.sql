-- Fills a part of a tenant: $1 its id, $2 models, $3 items of each pool, $4 accounts, $5 of how many the warm-up has begun,
-- $6 which part from 0 on, $7 of how many.
call bench.fill($1, $2, $3, $4, $5, $6, $7)
