-- Makes an account under an id that was taken before; its other fields are stored next, in the same transaction.
insert into accounts (tenant_id, id, username, email) overriding system value values ($1, $2, $3, $4)
