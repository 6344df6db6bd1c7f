-- Gives, for each step, the leases of a tenant that end first, $3 at most, with who holds them; and how many there are of
-- that step among the $2 of the tenant that end first.
select l.step as "step!", l.under_way as "under_way!", a.id as "account_id!: muster_wire::AccountId",
    a.username as "username!", b.name as "bot?", o.name as "operator?", l.attempt as "attempt!",
    l.leased_until as "leased_until!"
from (
    select q.step, q.account_id, q.attempt, q.leased_until, q.bot_id, q.operator_id,
        count(*) over (partition by q.step) as under_way,
        row_number() over (partition by q.step order by q.leased_until) as nth
    from (
        select step, account_id, attempt, leased_until, bot_id, operator_id
        from work_queue
        where tenant_id = $1 and state = 'leased'
        order by leased_until limit $2
    ) q
) l
join accounts a on a.tenant_id = $1 and a.id = l.account_id
left join bots b on b.tenant_id = $1 and b.id = l.bot_id
left join operators o on o.id = l.operator_id
where l.nth <= $3
order by l.step, l.nth
