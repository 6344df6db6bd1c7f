-- Everything of the tenant $1 that a copy holds, a row a line of JSON, in the order in which it can be restored: what is most
-- worth first, each after what it refers to. One statement, so that all of it is of one moment.
select kind as "kind!", line as "line!"
from (
    select 'tenant_keys' as kind, to_jsonb(t)::text as line from tenant_keys t where t.tenant_id = $1
    union all select 'models', to_jsonb(t)::text from models t where t.tenant_id = $1
    union all select 'bots', to_jsonb(t)::text from bots t where t.tenant_id = $1
    union all select 'proxies', to_jsonb(t)::text from proxies t where t.tenant_id = $1
    union all select 'accounts', to_jsonb(t)::text from accounts t where t.tenant_id = $1
    union all select 'work_queue', to_jsonb(t)::text from work_queue t where t.tenant_id = $1
    union all select 'warmup_step_logs', to_jsonb(t)::text from warmup_step_logs t where t.tenant_id = $1
    union all select 'account_state_history', to_jsonb(t)::text from account_state_history t where t.tenant_id = $1
    union all select 'authorisations', to_jsonb(t)::text from authorisations t where t.tenant_id = $1
    union all select 'account_notes', to_jsonb(t)::text from account_notes t where t.tenant_id = $1
    union all select 'bot_sessions', to_jsonb(t)::text from bot_sessions t where t.tenant_id = $1
    union all select 'pictures', to_jsonb(t)::text from pictures t where t.tenant_id = $1
    union all select 'model_content', to_jsonb(t)::text from model_content t where t.tenant_id = $1
    union all select 'text_pools', to_jsonb(t)::text from text_pools t where t.tenant_id = $1
    union all select 'content_uses', to_jsonb(t)::text from content_uses t where t.tenant_id = $1
    union all select 'daily_metrics', to_jsonb(t)::text from daily_metrics t where t.tenant_id = $1
    union all select 'daily_step_metrics', to_jsonb(t)::text from daily_step_metrics t where t.tenant_id = $1
    union all select 'daily_failures', to_jsonb(t)::text from daily_failures t where t.tenant_id = $1
    union all select 'metric_rollups', to_jsonb(t)::text from metric_rollups t where t.tenant_id = $1
    union all select 'audit_log', to_jsonb(t)::text from audit_log t where t.tenant_id = $1
) copied
