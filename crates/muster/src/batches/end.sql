-- Ends a batch that is not over yet, as done or as cancelled.
update batches set state = $3, ended_at = now() where tenant_id = $1 and id = $2 and state in ('waiting', 'running')
