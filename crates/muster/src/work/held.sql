-- Gives the leases that a bot or an operator holds, the oldest first, $4 at most, with what is needed to work them. No secret.
select 1 as "claimer!", q.account_id as "account_id!: muster_wire::AccountId", q.lease as "lease!",
    q.leased_at as "leased_at!", q.leased_until as "leased_until!", q.run_at as "due_at!", q.step as "step!", (q.attempt + 1)::smallint as "attempt!",
    a.username as "username!", a.location_city as city, a.location_campus as campus, a.location_niche as niche,
    m.id as "model_id!: muster_wire::ModelId", m.name as "model!", p.id as "proxy_id!: muster_wire::ProxyId",
    p.scheme as "scheme!", p.host as "host!", p.port as "port!", p.username as proxy_username,
    c.id as "content_id?: muster_wire::ContentId", c.image_url as "image_url?", c.text_content as "content_text?",
    c.is_template as "content_is_template?", t.id as "text_id?: muster_wire::TextId",
    t.text_content as "text_content?", t.is_template as "text_is_template?", 0::bigint as "dead!"
from (
    select account_id, lease, leased_at, leased_until, run_at, step, attempt, content_id, text_id
    from work_queue
    where tenant_id = $1 and bot_id = $2 and leased_until > now()
    union all
    select account_id, lease, leased_at, leased_until, run_at, step, attempt, content_id, text_id
    from work_queue
    where tenant_id = $1 and bot_id is null and operator_id = $3 and leased_until > now()
) q
join accounts a on a.tenant_id = $1 and a.id = q.account_id
join models m on m.tenant_id = $1 and m.id = a.model_id
join proxies p on p.tenant_id = $1 and p.id = a.proxy_id
-- Each looked up by itself, so that no plan reads the pools whole.
left join lateral (
    select id, image_url, text_content, is_template from model_content where tenant_id = $1 and id = q.content_id offset 0
) c on true
left join lateral (
    select id, text_content, is_template from text_pools where tenant_id = $1 and id = q.text_id offset 0
) t on true
order by q.leased_at, q.account_id
limit $4
