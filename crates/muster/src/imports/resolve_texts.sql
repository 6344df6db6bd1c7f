-- Gives, for each row of a file that is stored already, the stored text as files write it. Keys are taken apart first
-- (offset 0): row-level security finds a key by a value, and by no expression.
select distinct on (k.ordinal) k.ordinal as "ordinal!", t.id, text_fields(t) as "fields!", null::bytea as password_encrypted, null::bytea as access_token_encrypted
from (
    select ordinal, key ->> 0 as model, key ->> 1 as content_type, key ->> 2 as text_content
    from (select ordinal, key::jsonb as key from unnest($2::text[]) with ordinality as f (key, ordinal)) f
    offset 0
) k
join models m on m.tenant_id = $1 and m.name = k.model
join text_pools t on t.tenant_id = $1 and t.model_id = m.id and t.content_type = k.content_type and t.text_content = k.text_content
order by k.ordinal, t.id
