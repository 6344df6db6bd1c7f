-- Has every step of tenant $1 that is not due yet be due now.
update work_queue set run_at = now() where tenant_id = $1 and state = 'ready' and run_at > now()
