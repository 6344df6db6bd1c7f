-- Leases steps that are due to all of these claimers, and gives what is needed to work them. Nothing while the tenant, or
-- to a bot that is paused.
select claimer as "claimer!", account_id as "account_id!: muster_wire::AccountId", lease as "lease!",
    now() as "leased_at!", leased_until as "leased_until!", due_at as "due_at!", step as "step!", attempt as "attempt!", username as "username!", city, campus, niche,
    model_id as "model_id!: muster_wire::ModelId", model as "model!", proxy_id as "proxy_id!: muster_wire::ProxyId",
    scheme as "scheme!", host as "host!", port as "port!", proxy_username,
    content_id as "content_id: muster_wire::ContentId", image_url, content_text, content_is_template,
    text_id as "text_id: muster_wire::TextId", text_content, text_is_template, dead as "dead!"
from claim_steps(muster_act_as($1, $9, $10, $11, $12), $2, $3, $4, $5, $6, $7, $8)
