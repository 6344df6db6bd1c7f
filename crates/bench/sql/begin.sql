-- Has the warm-up of all accounts of tenant $1 begin that have a proxy.
with acting as materialized (
    select set_config('muster.tenant_id', $1::text, true), set_config('muster.triggered_by', 'system', true)
)
update accounts set lifecycle_state = 'warming_up', warmup_started_at = now()
from acting
where tenant_id = $1 and lifecycle_state = 'proxy_assigned'
