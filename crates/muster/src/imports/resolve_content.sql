-- Gives, for each row of a file that is stored already, the stored content as files write it.
select distinct on (k.ordinal) k.ordinal as "ordinal!", c.id, content_fields(c) as "fields!", null::bytea as password_encrypted, null::bytea as access_token_encrypted
from unnest($2::jsonb[]) with ordinality as k (data, ordinal)
join models m on m.tenant_id = $1 and m.name = k.data ->> 'model'
join model_content c on c.tenant_id = $1 and c.model_id = m.id and c.content_type = k.data ->> 'content_type'
    and c.image_url = k.data ->> 'image_url' and c.text_content is not distinct from k.data ->> 'text_content'
order by k.ordinal, c.id
