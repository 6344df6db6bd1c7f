-- The hot path: claims, reports and what ends leases without one. Each function is called as one statement, in a
-- transaction of its own, by the role that serves.
--
-- The planner is told in each what the design relies on: rows are reached by their keys, never by reading a table whole,
-- however few or many it believes there are. Locks are always taken in this order: accounts, then queue rows, each by
-- account; whoever comes the other way round skips what is locked.

-- Spreads p_count uses over these items, so that the least used are used first and end up equal; among equals the lower
-- priority first, then by chance. Items within a tenth of the least used count as equal to it, since uses are counted a
-- moment late. Null where there is no item.
create or replace function spread_uses(p_items bigint[], p_used integer[], p_priorities integer[], p_count integer)
    returns bigint[] language plpgsql as
$$
begin
    if cardinality(p_items) is null then
        return null;
    end if;
    return array(
        with items as (
            select i.id, i.priority, greatest(i.used, i.least + i.least / 10)::bigint as used
            from (
                select u.id, u.used, u.priority, min(u.used) over () as least
                from unnest(p_items, p_used, p_priorities) u (id, used, priority)
            ) i
        ), ring as materialized (
            -- Those that are reached when the less used are filled up to them first: without this, one item used a million
            -- times would make a million places.
            select f.id, f.priority, f.used
            from (
                select i.id, i.priority, i.used, row_number() over w as n, sum(i.used) over w as below
                from items i
                window w as (order by i.used, i.priority, i.id rows between unbounded preceding and current row)
            ) f
            where f.n * f.used - f.below < p_count
        )
        select r.id
        from ring r
        cross join (select ceil((p_count + sum(used)) / count(*))::bigint as used from ring) level
        cross join lateral generate_series(r.used, level.used - 1) place
        order by place, r.priority, random()
        limit p_count);
end
$$;

-- Chooses p_count items of a model's content for a type, those for any type among them. Null where there is none.
create or replace function choose_content(p_tenant bigint, p_model bigint, p_type text, p_count integer)
    returns bigint[] language plpgsql as
$$
begin
    return (
        select spread_uses(array_agg(c.id), array_agg(c.usage_count), array_agg(c.order_priority), p_count)
        from (
            (select id, usage_count, order_priority from model_content
            where tenant_id = p_tenant and model_id = p_model and content_type = p_type
            order by usage_count, order_priority, id limit 32)
            union all
            (select id, usage_count, order_priority from model_content
            where tenant_id = p_tenant and model_id = p_model and content_type = 'any'
            order by usage_count, order_priority, id limit 32)
        ) c);
end
$$;

-- Chooses p_count of a model's texts of a type. Null where there is none.
create or replace function choose_text(p_tenant bigint, p_model bigint, p_type text, p_count integer)
    returns bigint[] language plpgsql as
$$
begin
    return (
        select spread_uses(array_agg(t.id), array_agg(t.usage_count), array_agg(0), p_count)
        from (
            select id, usage_count from text_pools
            where tenant_id = p_tenant and model_id = p_model and content_type = p_type
            order by usage_count, id limit 32
        ) t);
end
$$;

-- What a step takes from the pools: the type of content and the type of text; null where it takes none.
create or replace function step_content(p_step smallint) returns text language sql immutable as
$$ select ('{pfp,null,highlight,story,post}'::text[])[p_step] $$;
create or replace function step_text(p_step smallint) returns text language sql immutable as
$$ select ('{null,bio,highlight,story,post}'::text[])[p_step] $$;

-- Leases these accounts' steps, which the caller has locked, and chooses what they publish. Writes nothing to the pools.
-- Gives the accounts that were leased; the others lack something that the step cannot do without.
create or replace function lease_steps(
    p_tenant bigint, p_bot bigint, p_operator bigint, p_step smallint, p_accounts bigint[], p_models bigint[],
    p_lease_secs integer) returns bigint[] language plpgsql as
$$
declare
    v_leased bigint[];
begin
    with pools as materialized (
        select m.model_id, choose_content(p_tenant, m.model_id, step_content(p_step), m.steps) as contents,
            choose_text(p_tenant, m.model_id, step_text(p_step), m.steps) as texts
        from (select model_id, count(*)::integer as steps from unnest(p_models) u (model_id) group by model_id) m
    ), chosen as materialized (
        select b.account_id, p.contents[b.n] as content_id, p.texts[b.n] as text_id
        from (
            select u.account_id, u.model_id, (row_number() over (partition by u.model_id))::integer as n
            from unnest(p_accounts, p_models) u (account_id, model_id)
        ) b
        join pools p on p.model_id = b.model_id
    ), leased as (
        update work_queue q
        set state = 'leased', lease = q.lease + 1, leased_at = now(),
            leased_until = now() + make_interval(secs => p_lease_secs), bot_id = p_bot, operator_id = p_operator,
            content_id = c.content_id, text_id = c.text_id
        from chosen c
        where q.tenant_id = p_tenant and q.account_id = c.account_id
            and (c.content_id is not null or step_content(p_step) is null)
            and (c.text_id is not null or step_content(p_step) is not null)
        returning q.account_id
    )
    select coalesce(array_agg(account_id), '{}') into v_leased from leased;
    return v_leased;
end
$$;

-- Holds those of these accounts, which the caller has locked, whose model has nothing for the step. Whoever fills a pool
-- locks its model, and then ends such holds: so the model is locked here before the pool is looked at again, and an
-- account whose model somebody has locked is left as it is, for the next claim. Says whether all of them are held now.
create or replace function hold_empty(p_tenant bigint, p_step smallint, p_accounts bigint[]) returns boolean
    language plpgsql as
$$
declare
    v_models bigint[];
begin
    v_models := array(
        select distinct q.model_id from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready');
    v_models := array(
        select m.id from models m where m.tenant_id = p_tenant and m.id = any (v_models) for update skip locked);
    v_models := array(
        select m.id from unnest(v_models) m (id)
        where case when step_content(p_step) is not null
            then choose_content(p_tenant, m.id, step_content(p_step), 1) is null
            else choose_text(p_tenant, m.id, step_text(p_step), 1) is null end);
    update work_queue q
    set state = 'held', hold = 'pool_empty'
    where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready' and q.model_id = any (v_models);
    return not exists (
        select from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready');
end
$$;

-- Leases up to p_max steps that are due, accounts furthest along first: bots get bots' steps, people get people's. Gives
-- all that is needed to work them, but no secret. Nothing while the tenant or the bot is paused.
create or replace function claim_steps(
    p_tenant bigint, p_bot bigint, p_operator bigint, p_max integer, p_steps smallint[], p_model bigint,
    p_lease_secs integer)
    returns table (
        account_id bigint, lease bigint, leased_until timestamptz, step smallint, attempt smallint, username text,
        city text, campus text, niche text, model_id bigint, model text, proxy_id bigint, scheme text, host text,
        port integer, proxy_username text, content_id bigint, image_url text, content_text text,
        content_is_template boolean, text_id bigint, text_content text, text_is_template boolean)
    language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as
$$
#variable_conflict use_column
declare
    v_step smallint;
    v_left integer := p_max;
    v_found integer;
    v_accounts bigint[];
    v_models bigint[];
    v_lapsed bigint[];
    v_got bigint[];
    v_leased bigint[] := '{}';
begin
    if exists (select from tenants t where t.id = p_tenant and t.paused_at is not null)
        or exists (select from bots b where b.tenant_id = p_tenant and b.id = p_bot and b.status = 'paused') then
        return;
    end if;
    foreach v_step in array '{5,4,3,2,1}'::smallint[] loop
        continue when cardinality(p_steps) > 0 and v_step <> all (p_steps);
        -- Again while what was found turned out to be held. Bounded, so that no claim takes long.
        for v_pass in 1 .. 100 loop
            exit when v_left = 0;
            select count(*), array_agg(c.account_id) filter (where c.authorised_until > now()),
                array_agg(c.model_id) filter (where c.authorised_until > now()),
                array_agg(c.account_id) filter (where c.authorised_until <= now())
            into v_found, v_accounts, v_models, v_lapsed
            from (
                select q.account_id, q.model_id, q.authorised_until from work_queue q
                where q.tenant_id = p_tenant and q.for_people = (p_bot is null) and q.step = v_step
                    and q.state = 'ready' and q.run_at <= now() and (p_model is null or q.model_id = p_model)
                order by q.run_at limit v_left for no key update skip locked
            ) c;
            exit when v_found = 0;
            if v_lapsed is not null then
                update work_queue q set state = 'held', hold = 'authorisation_lapsed'
                where q.tenant_id = p_tenant and q.account_id = any (v_lapsed);
            end if;
            if v_accounts is not null then
                v_got := lease_steps(p_tenant, p_bot, p_operator, v_step, v_accounts, v_models, p_lease_secs);
                v_leased := v_leased || v_got;
                exit when cardinality(v_got) < cardinality(v_accounts)
                    and not hold_empty(p_tenant, v_step, v_accounts);
            end if;
            exit when v_found < v_left;
            v_left := p_max - cardinality(v_leased);
        end loop;
        v_left := p_max - cardinality(v_leased);
    end loop;
    return query
        select q.account_id, q.lease, q.leased_until, q.step, (q.attempt + 1)::smallint, a.username, a.location_city,
            a.location_campus, a.location_niche, m.id, m.name, p.id, p.scheme, p.host, p.port, p.username, c.id,
            c.image_url, c.text_content, c.is_template, t.id, t.text_content, t.is_template
        from work_queue q
        join accounts a on a.tenant_id = p_tenant and a.id = q.account_id
        join models m on m.tenant_id = p_tenant and m.id = q.model_id
        join proxies p on p.tenant_id = p_tenant and p.id = a.proxy_id
        left join model_content c on c.tenant_id = p_tenant and c.id = q.content_id
        left join text_pools t on t.tenant_id = p_tenant and t.id = q.text_id
        where q.tenant_id = p_tenant and q.account_id = any (v_leased)
        order by q.step desc, q.account_id;
end
$$;

-- Ends the leases of these accounts, whose account and queue rows the caller has locked and found leased: writes the
-- attempts down, moves the accounts on, back or to review, and notes what was used. Where p_reported is false the leases
-- ran out, nobody reported, and nothing was used.
create or replace function settle_steps(
    p_tenant bigint, p_by text, p_attempts_max smallint, p_retry_ms integer, p_reported boolean, p_session text,
    p_accounts bigint[], p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[])
    returns void language plpgsql as
$$
declare
    v_movers bigint[];
    v_mover_outcomes text[];
    v_mover_errors text[];
    v_stayers bigint[];
    v_stayer_outcomes text[];
    v_stayer_errors text[];
begin
    insert into warmup_step_logs (
        tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status, bot_id, operator_id,
        bot_session_id, content_used, error_message, retry_count, execution_time_ms, instagram_response)
    select p_tenant, q.account_id, q.lease, q.leased_at, case when p_reported then now() end, q.step,
        ('{change_pfp,change_bio,post_highlight,post_story,post_post}'::text[])[q.step], i.outcome, q.bot_id,
        q.operator_id, p_session,
        case when q.content_id is not null or q.text_id is not null
            then jsonb_strip_nulls(jsonb_build_object('content', q.content_id, 'text', q.text_id)) end,
        i.error, q.attempt, i.time_ms, i.response
    from unnest(p_accounts, p_outcomes, p_times_ms, p_responses, p_errors) i (account_id, outcome, time_ms, response, error)
    join work_queue q on q.tenant_id = p_tenant and q.account_id = i.account_id;

    if p_reported then
        insert into content_uses (tenant_id, pool, item_id, used, succeeded)
        select p_tenant, u.pool, u.item_id, count(*), count(*) filter (where u.outcome = 'completed')
        from (
            select x.pool, x.item_id, i.outcome
            from unnest(p_accounts, p_outcomes) i (account_id, outcome)
            join work_queue q on q.tenant_id = p_tenant and q.account_id = i.account_id
            cross join lateral (values ('content', q.content_id), ('text', q.text_id)) x (pool, item_id)
            where x.item_id is not null
        ) u
        group by u.pool, u.item_id;
    end if;

    select array_agg(s.account_id) filter (where s.moves), array_agg(s.outcome) filter (where s.moves),
        array_agg(s.error) filter (where s.moves), array_agg(s.account_id) filter (where not s.moves),
        array_agg(s.outcome) filter (where not s.moves), array_agg(s.error) filter (where not s.moves)
    into v_movers, v_mover_outcomes, v_mover_errors, v_stayers, v_stayer_outcomes, v_stayer_errors
    from (
        select i.account_id, i.outcome,
            case when i.outcome <> 'completed' then coalesce(i.error, 'no reason was given') end as error,
            case i.outcome when 'completed' then q.step = 5 when 'failed' then q.attempt + 1 >= p_attempts_max
                else true end as moves
        from unnest(p_accounts, p_outcomes, p_errors) i (account_id, outcome, error)
        join work_queue q on q.tenant_id = p_tenant and q.account_id = i.account_id
    ) s;

    if v_stayers is not null then
        update work_queue q
        set state = case when q.hold is null then 'ready' else 'held' end,
            step = case when i.outcome = 'completed' then q.step + 1 else q.step end,
            attempt = case when i.outcome = 'completed' then 0 else q.attempt + 1 end,
            run_at = case when i.outcome = 'completed' then now() else now() + make_interval(secs =>
                least(p_retry_ms * 2.0 ^ q.attempt, 3600000) * (0.8 + 0.4 * random()) / 1000) end,
            leased_at = null, leased_until = null, bot_id = null, operator_id = null, content_id = null, text_id = null
        from unnest(v_stayers, v_stayer_outcomes) i (account_id, outcome)
        where q.tenant_id = p_tenant and q.account_id = i.account_id;

        -- No index has any of these columns, so that the update stays within its page.
        update accounts a
        set warmup_step = q.step, retry_count = q.attempt, last_bot_action_by = coalesce(p_by, a.last_bot_action_by),
            last_bot_action_at = case when p_reported then now() else a.last_bot_action_at end,
            last_error_message = coalesce(i.error, a.last_error_message),
            last_error_at = case when i.error is null then a.last_error_at else now() end, updated_at = now()
        from unnest(v_stayers, v_stayer_errors) i (account_id, error)
        join work_queue q on q.tenant_id = p_tenant and q.account_id = i.account_id
        where a.tenant_id = p_tenant and a.id = i.account_id;
    end if;

    if v_movers is not null then
        -- The trigger writes the history and takes the step out of the queue.
        update accounts a
        set lifecycle_state = 'human_review', state_changed_at = now(),
            warmup_completed_at = case when i.outcome = 'completed' then now() end,
            requires_human_review = i.outcome <> 'completed',
            retry_count = case when i.outcome = 'completed' then 0 else q.attempt + 1 end,
            last_bot_action_by = coalesce(p_by, a.last_bot_action_by),
            last_bot_action_at = case when p_reported then now() else a.last_bot_action_at end,
            last_error_message = coalesce(i.error, a.last_error_message),
            last_error_at = case when i.error is null then a.last_error_at else now() end, updated_at = now()
        from unnest(v_movers, v_mover_outcomes, v_mover_errors) i (account_id, outcome, error)
        join work_queue q on q.tenant_id = p_tenant and q.account_id = i.account_id
        where a.tenant_id = p_tenant and a.id = i.account_id;
    end if;
end
$$;

-- Takes reports on leased steps; the items name different leases. Gives for each, by its number from 1, whether it was
-- accepted, is a duplicate of one accepted before, or is stale; and the outcome that stands.
create or replace function report_steps(
    p_tenant bigint, p_bot bigint, p_operator bigint, p_address text, p_attempts_max smallint, p_retry_ms integer,
    p_session text, p_accounts bigint[], p_leases bigint[], p_outcomes text[], p_times_ms integer[],
    p_responses jsonb[], p_errors text[])
    returns table (item integer, verdict text, outcome text)
    language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as
$$
#variable_conflict use_column
declare
    v_by constant text := coalesce('bot:' || p_bot, 'operator:' || p_operator);
    v_items integer[];
    v_accounts bigint[];
    v_outcomes text[];
    v_times_ms integer[];
    v_responses jsonb[];
    v_errors text[];
    v_late integer[];
begin
    perform from accounts a where a.tenant_id = p_tenant and a.id = any (p_accounts) order by a.id for no key update;
    perform from work_queue q where q.tenant_id = p_tenant and q.account_id = any (p_accounts)
        order by q.account_id for no key update;

    select array_agg(i.item) filter (where i.live), array_agg(i.account_id) filter (where i.live),
        array_agg(i.outcome) filter (where i.live), array_agg(i.time_ms) filter (where i.live),
        array_agg(i.response) filter (where i.live), array_agg(i.error) filter (where i.live),
        array_agg(i.item) filter (where not i.live)
    into v_items, v_accounts, v_outcomes, v_times_ms, v_responses, v_errors, v_late
    from (
        select u.item::integer as item, u.account_id, u.outcome, u.time_ms, u.response, u.error,
            q.account_id is not null as live
        from unnest(p_accounts, p_leases, p_outcomes, p_times_ms, p_responses, p_errors) with ordinality
            u (account_id, lease, outcome, time_ms, response, error, item)
        left join work_queue q on q.tenant_id = p_tenant and q.account_id = u.account_id and q.state = 'leased'
            and q.lease = u.lease and q.leased_until > now() and q.bot_id is not distinct from p_bot
            and q.operator_id is not distinct from p_operator
    ) i;

    if v_items is not null then
        perform settle_steps(p_tenant, v_by, p_attempts_max, p_retry_ms, true, p_session, v_accounts, v_outcomes,
            v_times_ms, v_responses, v_errors);
        return query select i.item, 'accepted'::text, i.outcome from unnest(v_items, v_outcomes) i (item, outcome);
    end if;

    if v_late is not null then
        return query
            with late as materialized (
                select n.item, p_accounts[n.item] as account_id, p_leases[n.item] as lease, l.status
                from unnest(v_late) n (item)
                left join warmup_step_logs l on l.tenant_id = p_tenant and l.account_id = p_accounts[n.item]
                    and l.lease = p_leases[n.item] and l.completed_at is not null
                    and l.bot_id is not distinct from p_bot and l.operator_id is not distinct from p_operator
            ), recorded as (
                insert into audit_log (
                    tenant_id, triggered_by, operator_id, bot_id, request_id, address, action, object_type, object_id,
                    after)
                select p_tenant, muster_triggered_by(), muster_operator(), muster_bot(), muster_request(), p_address,
                    'report.stale', 'account', l.account_id::text,
                    jsonb_strip_nulls(jsonb_build_object('lease', l.account_id || '.' || l.lease,
                        'outcome', p_outcomes[l.item], 'error', p_errors[l.item]))
                from late l where l.status is null
            )
            select l.item, case when l.status is null then 'stale' else 'duplicate' end, l.status from late l;
    end if;
end
$$;

-- Extends the leases that the caller still holds, to p_lease_secs from now; gives when each of those ends.
create or replace function extend_leases(
    p_tenant bigint, p_bot bigint, p_operator bigint, p_accounts bigint[], p_leases bigint[], p_lease_secs integer)
    returns table (account_id bigint, lease bigint, leased_until timestamptz)
    language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as
$$
#variable_conflict use_column
begin
    perform from work_queue q where q.tenant_id = p_tenant and q.account_id = any (p_accounts)
        order by q.account_id for no key update;
    return query
        update work_queue q
        set leased_until = greatest(q.leased_until, now() + make_interval(secs => p_lease_secs))
        from unnest(p_accounts, p_leases) i (account_id, lease)
        where q.tenant_id = p_tenant and q.account_id = i.account_id and q.state = 'leased' and q.lease = i.lease
            and q.leased_until > now() and q.bot_id is not distinct from p_bot
            and q.operator_id is not distinct from p_operator
        returning q.account_id, q.lease, q.leased_until;
end
$$;

-- Gives back the leases that the caller still holds, as if they had never been claimed: no attempt is counted. Gives
-- which those were.
create or replace function release_leases(
    p_tenant bigint, p_bot bigint, p_operator bigint, p_accounts bigint[], p_leases bigint[])
    returns table (account_id bigint, lease bigint)
    language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as
$$
#variable_conflict use_column
begin
    perform from work_queue q where q.tenant_id = p_tenant and q.account_id = any (p_accounts)
        order by q.account_id for no key update;
    return query
        update work_queue q
        set state = case when q.hold is null then 'ready' else 'held' end, leased_at = null, leased_until = null,
            bot_id = null, operator_id = null, content_id = null, text_id = null
        from unnest(p_accounts, p_leases) i (account_id, lease)
        where q.tenant_id = p_tenant and q.account_id = i.account_id and q.state = 'leased' and q.lease = i.lease
            and q.leased_until > now() and q.bot_id is not distinct from p_bot
            and q.operator_id is not distinct from p_operator
        returning q.account_id, q.lease;
end
$$;

-- Ends up to p_max leases that have run out, each as a failed attempt that nobody reported; gives how many. What
-- somebody has locked is left for the next time.
create or replace function reap_leases(p_tenant bigint, p_max integer, p_attempts_max smallint, p_retry_ms integer)
    returns integer
    language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as
$$
declare
    v_accounts bigint[];
    v_count integer;
begin
    v_accounts := array(
        select q.account_id from work_queue q
        where q.tenant_id = p_tenant and q.state = 'leased' and q.leased_until <= now()
        order by q.leased_until limit p_max);
    v_accounts := array(
        select a.id from accounts a where a.tenant_id = p_tenant and a.id = any (v_accounts)
        order by a.id for no key update skip locked);
    v_accounts := array(
        select q.account_id from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (v_accounts) and q.state = 'leased' and q.leased_until <= now()
        order by q.account_id for no key update skip locked);
    v_count := cardinality(v_accounts);
    if v_count > 0 then
        perform settle_steps(p_tenant, null, p_attempts_max, p_retry_ms, false, null, v_accounts,
            array_fill('failed'::text, array [v_count]), null, null,
            array_fill('the lease ran out'::text, array [v_count]));
    end if;
    return v_count;
end
$$;

-- Adds the uses that reports have noted to the counters of the pools; gives how many items were touched. An item that is
-- gone is skipped.
create or replace function fold_content_uses(p_tenant bigint) returns integer language plpgsql as
$$
declare
    v_pools text[];
    v_items bigint[];
    v_used bigint[];
    v_succeeded bigint[];
    v_at timestamptz[];
begin
    with folded as (
        delete from content_uses where tenant_id = p_tenant returning pool, item_id, used, succeeded, at
    )
    select array_agg(s.pool), array_agg(s.item_id), array_agg(s.used), array_agg(s.succeeded), array_agg(s.at)
    into v_pools, v_items, v_used, v_succeeded, v_at
    from (
        select pool, item_id, sum(used) as used, sum(succeeded) as succeeded, max(at) as at from folded group by 1, 2
    ) s;
    if v_items is null then
        return 0;
    end if;
    perform from model_content c where c.tenant_id = p_tenant and c.id = any (v_items) order by c.id for no key update;
    perform from text_pools t where t.tenant_id = p_tenant and t.id = any (v_items) order by t.id for no key update;
    update model_content c
    set usage_count = c.usage_count + u.used, success_count = c.success_count + u.succeeded,
        last_used_at = greatest(c.last_used_at, u.at)
    from unnest(v_pools, v_items, v_used, v_succeeded, v_at) u (pool, item_id, used, succeeded, at)
    where c.tenant_id = p_tenant and c.id = u.item_id and u.pool = 'content';
    update text_pools t
    set usage_count = t.usage_count + u.used, success_count = t.success_count + u.succeeded,
        last_used_at = greatest(t.last_used_at, u.at)
    from unnest(v_pools, v_items, v_used, v_succeeded, v_at) u (pool, item_id, used, succeeded, at)
    where t.tenant_id = p_tenant and t.id = u.item_id and u.pool = 'text';
    return cardinality(v_items);
end
$$;
