-- Gives the tokens of the tenant after an id, in the order of their ids, without what they could be found by.
select id as "id: muster_wire::TokenId", kind as "kind: muster_wire::tokens::TokenKind", name, hint,
    bot_id as "bot_id: muster_wire::BotId", operator_id as "operator_id: muster_wire::OperatorId",
    role as "role: muster_wire::Role", requests_per_minute, state as "state!: muster_wire::tokens::TokenState", expires_at,
    revoked_at, last_used_at, created_at
from (
    select id, kind, name, hint, bot_id, operator_id, role, requests_per_minute,
        case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'live' end as state,
        expires_at, revoked_at, last_used_at, created_at
    from api_tokens
    where tenant_id = $1 and id > $2
        -- Only those of this person, where one is given.
        and ($3::bigint is null or operator_id = $3)
        and ($4::text is null or kind = $4)
        and ($6::bigint is null or bot_id = $6)
        and ($7::bigint is null or operator_id = $7)
) t
where $5::text is null or state = $5
order by id
limit $8
