-- Makes a bot.
insert into bots (tenant_id, name, description) values ($1, $2, $3) returning id
