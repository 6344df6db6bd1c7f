-- Gives the operator with this address, made when there is none.
insert into operators (email, name) values (lower($1), $2)
on conflict (email) do update set email = excluded.email
returning id
