-- Drains a tenant from inside: $1 its id, $2 the bot, $3 the batch. Gives the steps done.
call bench.drain($1, $2, $3, 0)
