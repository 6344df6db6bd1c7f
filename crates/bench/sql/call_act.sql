-- Says who acts: $1 the tenant, $2 the bot.
select bench.act($1, $2, gen_random_uuid())
