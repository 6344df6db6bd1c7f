-- Stores a person's second factor, unless they have one.
insert into second_factors (tenant_id, operator_id, secret_encrypted, last_step) values ($1, $2, $3, $4)
on conflict do nothing
