-- Gives, for each row of a file that is stored already, the stored text as files write it.
select distinct on (k.ordinal) k.ordinal as "ordinal!", t.id, text_fields(t) as "fields!", null::bytea as password_encrypted, null::bytea as access_token_encrypted
from unnest($2::jsonb[]) with ordinality as k (data, ordinal)
join models m on m.tenant_id = $1 and m.name = k.data ->> 'model'
join text_pools t on t.tenant_id = $1 and t.model_id = m.id and t.content_type = k.data ->> 'content_type'
    and t.text_content = k.data ->> 'text_content'
order by k.ordinal, t.id
