-- Writes down that tokens were used just now, and so their bots were seen.
with used as (
    update api_tokens set last_used_at = now() where tenant_id = $1 and id = any ($2) returning bot_id
)
update bots set last_seen_at = now() where tenant_id = $1 and id = any (array(select bot_id from used))
