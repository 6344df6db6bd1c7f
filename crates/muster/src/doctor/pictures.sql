-- Pictures that are kept and that no content shows, and content that shows a picture which is not kept.
select example as "example!", count(*) over () as "count!"
from (
    select 'picture ' || encode(p.sha256, 'hex') || ' is shown by nothing' as example
    from pictures p
    where p.tenant_id = $1
        and not exists (select from model_content c where c.tenant_id = $1 and c.picture = p.sha256)
    union all
    select 'content ' || c.id || ' shows picture ' || encode(c.picture, 'hex') || ', which is not kept'
    from model_content c
    where c.tenant_id = $1 and c.picture is not null
        and not exists (select from pictures p where p.tenant_id = $1 and p.sha256 = c.picture)
) wrong
order by example
limit $2
