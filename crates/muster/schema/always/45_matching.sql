-- Which accounts a filter means: the one place where the qualifiers of accounts become conditions.

-- Whether an account matches, as far as its own row says. Inlined into the query that asks, so that with its parameters
-- known each qualifier that is absent costs nothing, and each that an index serves is served.
create or replace function account_matches(a accounts, p jsonb) returns boolean language sql stable as
$$
    select (p ->> 'state' is null or a.lifecycle_state = p ->> 'state')
        and (p ->> 'status' is null or a.status = p ->> 'status')
        and (p ->> 'model_id' is null or a.model_id = (p ->> 'model_id')::bigint)
        and (p ->> 'no_model' is null or a.model_id is null)
        and (p ->> 'proxy_id' is null or a.proxy_id = (p ->> 'proxy_id')::bigint)
        and (p ->> 'no_proxy' is null or a.proxy_id is null)
        and (p ->> 'review' is null or a.requires_human_review = (p ->> 'review')::boolean)
        -- Not starts_with, which no index may serve under row-level security. The character is the last there is.
        and (p ->> 'username' is null
            or (a.username >= p ->> 'username' and a.username < (p ->> 'username') || chr(1114111)))
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
$$;

-- Walks accounts of a tenant in an order ('id', 'name', 'since' or 'expiry') from after a place, p_rows of them at most, and
-- says of each whether it matches. Walked are those that p_walk allows: the part of the filter that one index serves, in that
-- order, so that the work is bounded by p_rows however rare a match is. Null for p_ids: all; for p_rows: no bound.
create or replace function walk_accounts(
    p_tenant bigint, p jsonb, p_ids bigint[], p_walk jsonb, p_order text, p_after_name text, p_after_at timestamptz,
    p_after_id bigint, p_rows bigint)
    returns table (
        name text, at timestamptz, id bigint, account accounts, version bigint, walked bigint, matches boolean) language sql stable as
$$
    select w.name, w.at, w.id, w.account, w.version, w.walked,
        coalesce(account_matches(w.account, p), false)
        and (p ->> 'step' is null
            or coalesce(q.step = (p ->> 'step')::smallint and (w.account).warmup_started_at is not null, false))
        and (p ->> 'hold' is null or p ->> 'hold' = coalesce(
            account_hold((w.account).status, (w.account).authorisation_basis, (w.account).authorisation_expires_at,
                (w.account).model_id, m.status, null),
            case when q.state <> 'idle' and q.hold in ('proxy_not_active', 'pool_empty') then q.hold end,
            'none'))
        and (p ->> 'review_event' is null or exists (
            select from account_state_history h
            -- Written by the same transaction: one partition is looked into, or two.
            where h.tenant_id = p_tenant and h.account_id = w.id and h.created_at >= (w.account).state_changed_at
                and h.created_at < (w.account).state_changed_at + interval '1 hour' and h.to_state = 'human_review'
                and h.event = p ->> 'review_event'))
        and (p ->> 'undecided' is null or not exists (
            select from batch_accounts b
            where b.tenant_id = p_tenant and b.account_id = w.id and b.refusal is null))
    from (
        select l.account, l.version, l.name, l.at, l.id, row_number() over () as walked
        from (
            select a as account, a.id, a.xmin::text::bigint as version,
                case when p_order = 'name' then a.username end as name,
                case p_order when 'since' then a.state_changed_at when 'expiry' then a.authorisation_expires_at end as at
            from accounts a
            where a.tenant_id = p_tenant and (p_ids is null or a.id = any (p_ids)) and account_matches(a, p_walk)
                and (p_after_id is null or case p_order
                    when 'id' then a.id > p_after_id
                    when 'name' then a.username > p_after_name
                    when 'since' then (a.state_changed_at, a.id) > (p_after_at, p_after_id)
                    when 'expiry' then (a.authorisation_expires_at, a.id) > (p_after_at, p_after_id)
                end)
            -- That there is no model is no equality for the planner: named here, the index of models is in this order.
            order by name, case when p_walk ->> 'no_model' is not null then a.model_id end, at, id
            limit p_rows
        ) l
    ) w
    left join models m on m.tenant_id = p_tenant and m.id = (w.account).model_id
    -- Only what warms up is held there.
    left join work_queue q on q.tenant_id = p_tenant
        and q.account_id = case when p ->> 'step' is not null or (w.account).lifecycle_state = 'warming_up' then w.id end
$$;
