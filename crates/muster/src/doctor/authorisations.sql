-- Accounts whose authorisation is not the one that was recorded last.
select 'account ' || a.id || ': authorised by ' || coalesce(a.authorisation_basis, 'nothing') || '; last recorded: '
        || coalesce(l.basis, 'nothing') as "example!",
    count(*) over () as "count!"
from accounts a
left join lateral (
    select s.basis, s.reference, s.expires_at from authorisations s
    where s.tenant_id = $1 and s.account_id = a.id
    order by s.recorded_at desc
    limit 1
) l on true
where a.tenant_id = $1
    and (a.authorisation_basis, a.authorisation_reference, a.authorisation_expires_at)
        is distinct from (l.basis, l.reference, l.expires_at)
order by a.id
limit $2
