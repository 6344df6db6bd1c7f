-- Gives a picture, to a bot (null: to a person) only while it holds a step that shows it.
select p.media_type, p.bytes from pictures p
where p.tenant_id = $1 and p.sha256 = $2 and ($3::bigint is null or exists (
    select from work_queue q
    join model_content c on c.tenant_id = q.tenant_id and c.id = q.content_id
    where q.tenant_id = $1 and q.bot_id = $3 and q.leased_until > now() and c.picture = $2))
