-- Which accounts a filter means: the one place where the qualifiers of accounts become conditions.

-- The accounts of a tenant that match, all of them where p_ids is null. Inlined into the query that asks, so that with its
-- parameters known each qualifier that is absent costs nothing.
create or replace function matching_accounts(p_tenant bigint, p jsonb, p_ids bigint[])
    returns table (id bigint, state_changed_at timestamptz) language sql stable as
$$
    select a.id, a.state_changed_at
    from accounts a
    left join models m on m.tenant_id = a.tenant_id and m.id = a.model_id
    left join proxies x on x.tenant_id = a.tenant_id and x.id = a.proxy_id
    left join work_queue q on q.tenant_id = a.tenant_id and q.account_id = a.id
    where a.tenant_id = p_tenant
        and (p_ids is null or a.id = any (p_ids))
        and (p ->> 'state' is null or a.lifecycle_state = p ->> 'state')
        and (p ->> 'status' is null or a.status = p ->> 'status')
        and (p ->> 'model_id' is null or a.model_id = (p ->> 'model_id')::bigint)
        and (p ->> 'no_model' is null or a.model_id is null)
        and (p ->> 'proxy_id' is null or a.proxy_id = (p ->> 'proxy_id')::bigint)
        and (p ->> 'no_proxy' is null or a.proxy_id is null)
        and (p ->> 'step' is null or (q.step = (p ->> 'step')::smallint and a.warmup_started_at is not null))
        and (p ->> 'review' is null or a.requires_human_review = (p ->> 'review')::boolean)
        and (p ->> 'username' is null or starts_with(a.username, p ->> 'username'))
        and (p ->> 'stuck_longer_secs' is null
            or a.state_changed_at < now() - make_interval(secs => (p ->> 'stuck_longer_secs')::float8))
        and (p ->> 'stuck_shorter_secs' is null
            or a.state_changed_at > now() - make_interval(secs => (p ->> 'stuck_shorter_secs')::float8))
        and (p ->> 'unauthorised' is null or a.authorisation_basis is null)
        and (p ->> 'lapsed' is null or a.authorisation_expires_at <= now())
        and (p ->> 'lapses_within_secs' is null or (a.authorisation_expires_at > now()
            and a.authorisation_expires_at < now() + make_interval(secs => (p ->> 'lapses_within_secs')::float8)))
        and (p ->> 'lasts_secs' is null or (a.authorisation_basis is not null
            and coalesce(a.authorisation_expires_at, 'infinity')
                > now() + make_interval(secs => (p ->> 'lasts_secs')::float8)))
        and (p ->> 'hold' is null or p ->> 'hold' = coalesce(
            account_hold(a.status, a.authorisation_basis, a.authorisation_expires_at, a.model_id, m.status, x.status),
            case when q.state <> 'idle' and q.hold = 'pool_empty' then q.hold end,
            'none'))
        and (p ->> 'review_event' is null or exists (
            select from account_state_history h
            where h.tenant_id = p_tenant and h.account_id = a.id and h.created_at >= a.state_changed_at
                and h.to_state = 'human_review' and h.event = p ->> 'review_event'))
$$;
