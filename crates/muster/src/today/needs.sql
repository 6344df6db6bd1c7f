-- What waits for somebody, counted, each as the list counts it that shows it; but for the reviews no further than $3.
select
    (
        select coalesce(sum(accounts), 0)::bigint from counted_accounts($1) where lifecycle_state = 'human_review'
    ) as "reviews!",
    (select min(state_changed_at) from accounts where tenant_id = $1 and lifecycle_state = 'human_review') as oldest_review,
    (
        select count(*) from (select from proxies where tenant_id = $1 and status = 'error' limit $3) p
    ) as "proxies_in_error!",
    (
        select count(*)
        from (
            select from proxies where tenant_id = $1 and status = 'active' and account_count >= max_accounts limit $3
        ) p
    ) as "proxies_full!",
    (
        select count(*)
        from (
            select from proxies where tenant_id = $1 and status = 'active' and account_count < max_accounts limit $3
        ) p
    ) as "proxies_with_room!",
    (
        select count(*)
        from (
            select from accounts
            where tenant_id = $1 and authorisation_expires_at > now()
                and authorisation_expires_at < now() + make_interval(days => $2)
            limit $3
        ) a
    ) as "lapsing!",
    (
        select count(*)
        from (select from accounts where tenant_id = $1 and authorisation_expires_at <= now() limit $3) a
    ) as "lapsed!",
    (
        select count(*) from (select from work_queue where tenant_id = $1 and state = 'leased' limit $3) q
    ) as "under_way!",
    (
        -- By step, since only within one are those that are due together in the index.
        select count(*)
        from (
            select
            from unnest('{false,true}'::boolean[]) f (for_people)
            cross join generate_series(1, 5) s (step)
            cross join lateral (
                select from work_queue w
                where w.tenant_id = $1 and w.state = 'ready' and w.for_people = f.for_people and w.step = s.step
                    and w.run_at <= now()
                limit $3
            ) w
            limit $3
        ) q
    ) as "ready!"
