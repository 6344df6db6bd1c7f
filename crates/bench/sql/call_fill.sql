-- Fills a tenant: $1 its id, $2 models, $3 items of each pool, $4 accounts, $5 whether their warm-up has begun.
call bench.fill($1, $2, $3, $4, $5)
