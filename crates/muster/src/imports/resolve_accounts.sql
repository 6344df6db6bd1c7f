-- Gives, for each row of a file that is stored already, the stored account as files write it. Looks once a key, whatever is
-- known of a table that has just been filled.
select k.ordinal as "ordinal!", a.id as "id!", account_fields(a.stored) as "fields!", a.password_encrypted, a.access_token_encrypted
from unnest($2::text[]) with ordinality as k (key, ordinal)
cross join lateral (
    select s.id, s as stored, s.password_encrypted, s.access_token_encrypted
    from accounts s where s.tenant_id = $1 and s.username = k.key
    limit 1
) a
