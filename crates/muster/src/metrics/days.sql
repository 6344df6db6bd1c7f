-- What happened, and what there was, on each day from $2 to $3: of a model ($4), or of all.
select d.date, d.failed_accounts, d.warmups_finished, d.warmup_secs, d.reviews_approved, d.reviews_resumed,
    d.reviews_rejected, d.counted_at, d.total_accounts, d.active_accounts, d.warming_up_accounts, d.active_proxies,
    d.proxy_places, d.proxy_accounts, d.proxy_monthly_cost
from daily_metrics d
where d.tenant_id = $1 and d.date between $2 and $3
    and case when $4::bigint is null then d.model_id is null else d.model_id = $4 end
order by d.date
