-- Deletes a bot that holds no lease, with its tokens.
delete from bots b
where b.tenant_id = $1 and b.id = $2
    and not exists (select from work_queue q where q.tenant_id = $1 and q.bot_id = $2 and q.leased_until is not null)
