-- Makes the tenant whose id was taken before in this transaction.
insert into tenants (id, name) overriding system value values ($1, $2)
