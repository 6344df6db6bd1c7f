-- What happened, and what there was, on a day ($2): of a model ($3), or of each, and before them of all together, without a name.
select m.name as "model?", d.failed_accounts, d.warmups_finished, d.warmup_secs, d.reviews_approved, d.reviews_resumed,
    d.reviews_rejected, d.counted_at, d.total_accounts, d.active_accounts, d.warming_up_accounts, d.active_proxies,
    d.proxy_places, d.proxy_accounts, d.proxy_monthly_cost
from daily_metrics d
left join models m on m.tenant_id = $1 and m.id = d.model_id
where d.tenant_id = $1 and d.date = $2 and ($3::bigint is null or d.model_id = $3)
order by d.model_id nulls first
