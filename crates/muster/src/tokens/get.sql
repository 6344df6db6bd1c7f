-- Gives one token, of this person where one is given, or nothing.
select id as "id: muster_wire::TokenId", kind as "kind: muster_wire::tokens::TokenKind", name, hint,
    bot_id as "bot_id: muster_wire::BotId", operator_id as "operator_id: muster_wire::OperatorId",
    role as "role: muster_wire::Role", requests_per_minute, state as "state!: muster_wire::tokens::TokenState", expires_at,
    revoked_at, last_used_at, created_at
from (
    select id, kind, name, hint, bot_id, operator_id, role, requests_per_minute,
        case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'live' end as state,
        expires_at, revoked_at, last_used_at, created_at
    from api_tokens
    where tenant_id = $1 and id = $2 and ($3::bigint is null or operator_id = $3)
) t
