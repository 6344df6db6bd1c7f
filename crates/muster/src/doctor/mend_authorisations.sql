-- Records the authorisation that accounts have now where it is not the one that was recorded last.
insert into authorisations (tenant_id, account_id, basis, reference, expires_at)
select a.tenant_id, a.id, a.authorisation_basis, a.authorisation_reference, a.authorisation_expires_at
from accounts a
left join lateral (
    select s.basis, s.reference, s.expires_at from authorisations s
    where s.tenant_id = a.tenant_id and s.account_id = a.id
    order by s.recorded_at desc
    limit 1
) l on true
where (a.authorisation_basis, a.authorisation_reference, a.authorisation_expires_at)
    is distinct from (l.basis, l.reference, l.expires_at)
