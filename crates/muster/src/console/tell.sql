-- Tells whoever listens on the channel each of these payloads, at commit. Only ever in a transaction of its own: a commit that
-- notifies waits for every other that does.
select pg_notify($1, payload) from unnest($2::text[]) as payload
