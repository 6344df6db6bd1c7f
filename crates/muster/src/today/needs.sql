-- What waits for somebody, counted, each as the list counts it that shows it.
select r.reviews as "reviews!", r.oldest_review, e.in_error as "proxies_in_error!", p.proxies_full as "proxies_full!",
    p.places_left as "places_left!", l.lapsing as "lapsing!", l.lapsed as "lapsed!", q.under_way as "under_way!",
    q.ready as "ready!"
from (
    select count(*) as reviews, min(state_changed_at) as oldest_review
    from accounts where tenant_id = $1 and lifecycle_state = 'human_review'
) r
cross join (select count(*) as in_error from proxies where tenant_id = $1 and status = 'error') e
cross join (
    select count(*) filter (where account_count >= max_accounts) as proxies_full,
        coalesce(sum(max_accounts - account_count), 0)::bigint as places_left
    from proxies where tenant_id = $1 and status = 'active'
) p
cross join (
    select count(*) filter (where authorisation_expires_at > now()) as lapsing,
        count(*) filter (where authorisation_expires_at <= now()) as lapsed
    from accounts
    where tenant_id = $1 and authorisation_expires_at < now() + make_interval(days => $2)
) l
cross join (
    select count(*) filter (where state = 'leased') as under_way,
        count(*) filter (where state = 'ready' and run_at <= now()) as ready
    from work_queue where tenant_id = $1 and state in ('leased', 'ready')
) q
