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
    select * from work_queue where tenant_id = $1 and bot_id = $2 and state = 'leased' and leased_until > now()
    union all
    select *
    from work_queue
    where tenant_id = $1 and bot_id is null and operator_id = $3 and state = 'leased' and leased_until > now()
) q
join accounts a on a.tenant_id = $1 and a.id = q.account_id
join models m on m.tenant_id = $1 and m.id = a.model_id
join proxies p on p.tenant_id = $1 and p.id = a.proxy_id
left join model_content c on c.tenant_id = $1 and c.id = q.content_id
left join text_pools t on t.tenant_id = $1 and t.id = q.text_id
order by q.leased_at, q.account_id
limit $4
