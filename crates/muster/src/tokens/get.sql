-- Gives one token, of this person where one is given, or nothing.
select id as "id: muster_wire::TokenId", kind as "kind: muster_wire::tokens::TokenKind", name, hint,
    bot_id as "bot_id: muster_wire::BotId", operator_id as "operator_id: muster_wire::OperatorId",
    bearer as "bearer!", role as "role: muster_wire::Role", requests_per_minute, state as "state!: muster_wire::tokens::TokenState", expires_at,
    revoked_at, last_used_at, created_at
from (
    select k.id, k.kind, k.name, k.hint, k.bot_id, k.operator_id, coalesce(b.name, o.name, '') as bearer, k.role,
        k.requests_per_minute,
        case when k.revoked_at is not null then 'revoked' when k.expires_at <= now() then 'expired' else 'live' end as state,
        k.expires_at, k.revoked_at, k.last_used_at, k.created_at
    from api_tokens k
    left join bots b on b.tenant_id = k.tenant_id and b.id = k.bot_id
    left join operators o on o.id = k.operator_id
    where k.tenant_id = $1 and k.id = $2 and ($3::bigint is null or k.operator_id = $3)
) t
