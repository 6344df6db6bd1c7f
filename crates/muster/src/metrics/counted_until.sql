-- Until when the tenant's metrics are counted.
select counted_until from metric_rollups where tenant_id = $1
