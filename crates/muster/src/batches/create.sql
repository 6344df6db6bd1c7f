-- Writes a batch down; gives its id.
insert into batches (tenant_id, event, in_review, reason, operator_id, request_id, accounts, due_at, undoes)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
returning id
