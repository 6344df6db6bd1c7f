-- Whether the tenant has this bot.
select exists (select from bots where tenant_id = $1 and id = $2) as "exists!"
