-- Names the proxies that so many accounts ($3) of each model ($2, null for none) would be given: the emptiest of a model's
-- own, and for those that find no place there the emptiest shared ones; never the one that they leave ($4).
with wanted as (
    select w.model_id, w.accounts from unnest($2::bigint[], $3::bigint[]) as w (model_id, accounts)
), own as materialized (
    select w.model_id, p.id, p.room
    from wanted w
    cross join lateral (
        select o.id, o.max_accounts - o.account_count as room
        from proxies o
        where o.tenant_id = $1 and o.assigned_model_id = w.model_id and o.status = 'active'
            and o.account_count < o.max_accounts and o.id is distinct from $4
        order by o.account_count, o.id
        limit w.accounts
    ) p
), left_over as (
    select sum(greatest(w.accounts - coalesce(o.room, 0), 0))::bigint as accounts
    from wanted w left join (select model_id, sum(room) as room from own group by model_id) o using (model_id)
)
select id as "id!" from own
union all
(
    select s.id from proxies s
    where s.tenant_id = $1 and s.assigned_model_id is null and s.status = 'active'
        and s.account_count < s.max_accounts and s.id is distinct from $4
    order by s.account_count, s.id
    limit (select accounts from left_over)
)
