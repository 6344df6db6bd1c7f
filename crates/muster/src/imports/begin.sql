-- Makes an import that is being read.
insert into imports (tenant_id, kind, state, file_name, options, operator_id, request_id)
values ($1, $2, 'reading', $3, $4, muster_operator(), muster_request())
returning id
