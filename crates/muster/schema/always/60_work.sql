-- The hot path: claims, reports and what ends leases without one. Each function is called as one statement, in a
-- transaction of its own, by the role that serves.
--
-- The planner is told in each what the design relies on: rows are reached by their keys, never by reading a table whole,
-- however few or many it believes there are. Locks are always taken in this order: accounts, then queue rows, each by
-- account; whoever comes the other way round skips what is locked.
--
-- Who holds a lease and until when is asked in a CASE, never in conditions side by side: the planner believes that next
-- to nothing is leased, and would look for one lease by reading them all.

-- What a step takes from the pools: the type of content and the type of text; null where it takes none.
create or replace function step_content(p_step smallint) returns text language sql immutable as
$$ select ('{pfp,null,highlight,story,post}'::text[])[p_step] $$;
create or replace function step_text(p_step smallint) returns text language sql immutable as
$$ select ('{null,bio,highlight,story,post}'::text[])[p_step] $$;

-- Holds those of these accounts, which the caller has locked, whose model has nothing for their step. Whoever fills a pool
-- locks its model, and then ends such holds: so the model is locked here before the pool is looked at again, and an
-- account whose model somebody has locked is left as it is, for the next claim. Says whether none of them is ready now.
create or replace function hold_empty(p_tenant bigint, p_accounts bigint[]) returns boolean language plpgsql as
$$
declare
    v_models bigint[];
begin
    v_models := array(
        select distinct q.model_id from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready');
    v_models := array(
        select m.id from models m where m.tenant_id = p_tenant and m.id = any (v_models) for update skip locked);
    update work_queue q
    set state = 'held', hold = 'pool_empty'
    where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready' and q.model_id = any (v_models)
        and case when step_content(q.step) is not null
            then not exists (
                select from model_content c
                where c.tenant_id = p_tenant and c.model_id = q.model_id
                    and c.content_type in (step_content(q.step), 'any'))
            else not exists (
                select from text_pools t
                where t.tenant_id = p_tenant and t.model_id = q.model_id and t.content_type = step_text(q.step)) end;
    return not exists (
        select from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (p_accounts) and q.state = 'ready');
end
$$;

-- Leases steps that are due, accounts furthest along first, to several claimers at once: all bots, or all people who get
-- the steps that are for people only. Each gets up to as many as it asks for; where there are too few, they get turns.
-- Gives all that is needed to work the steps, but no secret. Nothing to a paused bot, or while the tenant is paused.
--
-- p_from says for each kind of step before which moment nothing that is due is looked for, null for none: what died there may not
-- have been removed, and looking through it takes long. Each row says how many dead ones were looked through.
--
-- What is published is chosen here: the least used of the model, those within a tenth of it counting as equal, since uses are
-- counted a moment late; among equals the lower priority first, then by chance. They get turns, with as many of the more used as
-- the steps would reach if they filled up the less used to them. Nothing is written to the pools.
create or replace function claim_steps(
    p_tenant bigint, p_bots bigint[], p_operators bigint[], p_maxes integer[], p_steps smallint[], p_model bigint,
    p_lease_secs integer, p_from timestamptz[])
    returns table (
        claimer integer, account_id bigint, lease bigint, leased_until timestamptz, step smallint, attempt smallint,
        username text, city text, campus text, niche text, model_id bigint, model text, proxy_id bigint, scheme text,
        host text, port integer, proxy_username text, content_id bigint, image_url text, content_text text,
        content_is_template boolean, text_id bigint, text_content text, text_is_template boolean, due_at timestamptz,
        dead bigint)
    language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as
$$
#variable_conflict use_column
declare
    -- The claimer of each step that may be given.
    v_turns integer[];
    v_given integer := 0;
    v_found integer;
    v_wanted integer;
    v_tids tid[];
    v_accounts bigint[];
    v_models bigint[];
    v_steps smallint[];
    v_lapsed bigint[];
    v_leased integer;
    -- A bound that is coalesced where it is compared would be a filter: under row-level security the planner takes it for a leak.
    v_from constant timestamptz[] := array(
        select coalesce(p_from[s.step], '-infinity') from generate_series(1, 5) s (step) order by s.step);
    -- Entries of the order of what is ready, as PostgreSQL counts them, that were looked at and led to nothing.
    v_ready constant oid := 'work_queue_ready'::regclass;
    v_dead bigint := -pg_stat_get_xact_tuples_returned(v_ready);
begin
    v_turns := array(
        select c.claimer
        from unnest(p_bots, p_operators, p_maxes) with ordinality c (bot, operator, most, claimer)
        cross join lateral generate_series(1, c.most) turn
        where not exists (select from tenants t where t.id = p_tenant and t.paused_at is not null)
            and not exists (select from bots b where b.tenant_id = p_tenant and b.id = c.bot and b.status = 'paused')
        order by turn, c.claimer);
    -- Again while what was found turned out to be held. Bounded, so that no claim takes long.
    for v_pass in 1 .. 100 loop
        v_wanted := cardinality(v_turns) - v_given;
        exit when v_wanted = 0;
        -- The steps are looked through in their order, and no further than to the last that is wanted.
        select count(*), array_agg(c.tid) filter (where c.authorised_until > now()),
            array_agg(c.account_id) filter (where c.authorised_until > now()),
            array_agg(c.model_id) filter (where c.authorised_until > now()),
            array_agg(c.step) filter (where c.authorised_until > now()),
            array_agg(c.account_id) filter (where c.authorised_until <= now())
        into v_found, v_tids, v_accounts, v_models, v_steps, v_lapsed
        from (
            select q.*
            from unnest('{5,4,3,2,1}'::smallint[]) s (step)
            cross join lateral (
                select q.ctid as tid, q.account_id, q.model_id, q.step, q.authorised_until from work_queue q
                where q.tenant_id = p_tenant and q.for_people = (p_bots[1] is null) and q.step = s.step
                    and q.state = 'ready' and q.run_at >= v_from[s.step] and q.run_at <= now()
                    and (p_model is null or q.model_id = p_model)
                order by q.run_at limit v_wanted for no key update skip locked
            ) q
            where cardinality(p_steps) = 0 or s.step = any (p_steps)
            limit v_wanted
        ) c;
        v_dead := v_dead - v_found;
        exit when v_found = 0;
        if v_lapsed is not null then
            update work_queue q set state = 'held', hold = 'authorisation_lapsed'
            where q.tenant_id = p_tenant and q.account_id = any (v_lapsed);
        end if;
        if v_accounts is not null then
            return query
                with wanted as materialized (
                    select u.model_id, u.step, step_content(u.step) as content, step_text(u.step) as text, count(*) as steps,
                        array_agg(u.tid) as tids, array_agg(u.account_id) as accounts
                    from unnest(v_tids, v_accounts, v_models, v_steps) u (tid, account_id, model_id, step)
                    group by u.model_id, u.step
                ), served as (
                    select m.id as model_id, m.name as model, w.step, u.tid, u.account_id,
                        v_turns[v_given + row_number() over ()] as claimer,
                        c.ids[place.content] as content_id,
                        c.urls[place.content] as image_url,
                        c.texts[place.content] as content_text,
                        c.templates[place.content] as content_is_template,
                        t.ids[place.text] as text_id,
                        t.texts[place.text] as text_content,
                        t.templates[place.text] as text_is_template
                    from wanted w
                    join models m on m.tenant_id = p_tenant and m.id = w.model_id
                    cross join lateral (
                        select count(*) as items, array_agg(i.id) as ids, array_agg(i.image_url) as urls,
                            array_agg(i.text_content) as texts, array_agg(i.is_template) as templates
                        from (
                            select l.*, row_number() over u as n, sum(l.used) over u as used_so_far
                            from (
                                select e.*, greatest(e.usage_count,
                                    min(e.usage_count) over () + min(e.usage_count) over () / 10) as used
                                from (
                                    (select id, usage_count, order_priority, image_url, text_content, is_template
                                    from model_content
                                    where tenant_id = p_tenant and model_id = m.id and content_type = w.content
                                    order by usage_count, order_priority, id limit w.steps + 8)
                                    union all
                                    (select id, usage_count, order_priority, image_url, text_content, is_template
                                    from model_content
                                    where tenant_id = p_tenant and model_id = m.id and content_type = 'any'
                                        and w.content is not null
                                    order by usage_count, order_priority, id limit w.steps + 8)
                                ) e
                            ) l
                            window u as (
                                order by l.used, l.order_priority, random() rows between unbounded preceding and current row)
                        ) i
                        where i.n * i.used - i.used_so_far < w.steps
                    ) c
                    cross join lateral (
                        select count(*) as items, array_agg(i.id) as ids, array_agg(i.text_content) as texts,
                            array_agg(i.is_template) as templates
                        from (
                            select l.*, row_number() over u as n, sum(l.used) over u as used_so_far
                            from (
                                select e.*, greatest(e.usage_count,
                                    min(e.usage_count) over () + min(e.usage_count) over () / 10) as used
                                from (
                                    select id, usage_count, text_content, is_template from text_pools
                                    where tenant_id = p_tenant and model_id = m.id and content_type = w.text
                                    order by usage_count, id limit w.steps + 8
                                ) e
                            ) l
                            window u as (order by l.used, random() rows between unbounded preceding and current row)
                        ) i
                        where i.n * i.used - i.used_so_far < w.steps
                    ) t
                    cross join lateral unnest(w.tids, w.accounts) with ordinality u (tid, account_id, nth)
                    cross join lateral (
                        select 1 + (u.nth - 1) % nullif(c.items, 0) as content, 1 + (u.nth - 1) % nullif(t.items, 0) as text
                    ) place
                    -- What a step cannot do without: a picture, or for the biography its text.
                    where case when w.content is not null then c.ids else t.ids end is not null
                ), leased as (
                    update work_queue q
                    set state = 'leased', lease = q.lease + 1, leased_at = now(),
                        leased_until = now() + make_interval(secs => p_lease_secs), bot_id = p_bots[s.claimer],
                        operator_id = p_operators[s.claimer], content_id = s.content_id, text_id = s.text_id
                    from served s
                    where q.ctid = s.tid and q.tenant_id = p_tenant and q.account_id = s.account_id
                    returning q.lease, q.leased_until, q.attempt, q.run_at, s.*
                )
                select l.claimer, l.account_id, l.lease, l.leased_until, l.step, (l.attempt + 1)::smallint, a.username,
                    a.location_city, a.location_campus, a.location_niche, l.model_id, l.model, p.id, p.scheme, p.host,
                    p.port, p.username, l.content_id, l.image_url, l.content_text, l.content_is_template, l.text_id,
                    l.text_content, l.text_is_template, l.run_at, v_dead + pg_stat_get_xact_tuples_returned(v_ready)
                from leased l
                join accounts a on a.tenant_id = p_tenant and a.id = l.account_id
                join proxies p on p.tenant_id = p_tenant and p.id = a.proxy_id;
            get diagnostics v_leased = row_count;
            v_given := v_given + v_leased;
            exit when v_leased < cardinality(v_accounts) and not hold_empty(p_tenant, v_accounts);
        end if;
        exit when v_found < v_wanted;
    end loop;
end
$$;

-- Ends leases: writes the attempts down, moves the accounts on, back or to review, and notes what was used. Reported
-- leases are those that their holders still hold; where p_reported is false they are those that have run out, nobody
-- reported, and nothing was used. Leases that are no such thing are left alone. Gives the numbers of those that were ended.
--
-- Nothing is locked beforehand: an item whose account or lease changes between being read and being written fails the
-- transaction with a serialization failure, and whoever calls begins again.
create or replace function settle_steps(
    p_tenant bigint, p_reported boolean, p_attempts_max smallint, p_retry_ms integer, p_bots bigint[],
    p_operators bigint[], p_sessions text[], p_reporters integer[], p_accounts bigint[], p_leases bigint[],
    p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[])
    returns integer[] language plpgsql as
$$
declare
    v_live integer;
    v_settled integer[];
begin
    with live as materialized (
        select r.item, r.account_id, r.lease, r.outcome, r.time_ms, r.response,
            r.error as given_error, r.session, q.ctid as tid, q.model_id, q.step, q.attempt,
            q.leased_at, q.bot_id, q.operator_id, q.content_id, q.text_id, r.outcome = 'completed' as completed,
            case r.outcome when 'completed' then q.step = 5 when 'failed' then q.attempt + 1 >= p_attempts_max
                else true end as moves,
            case when r.outcome <> 'completed' then coalesce(r.error, 'no reason was given') end as error,
            case when not p_reported then null when q.bot_id is not null then 'bot:' || q.bot_id
                else 'operator:' || q.operator_id end as by
        from (
            select i.*, p_bots[i.reporter] as bot, p_operators[i.reporter] as operator, p_sessions[i.reporter] as session
            from unnest(p_reporters, p_accounts, p_leases, p_outcomes, p_times_ms, p_responses, p_errors) with ordinality
                i (reporter, account_id, lease, outcome, time_ms, response, error, item)
        ) r
        join work_queue q on q.tenant_id = p_tenant and q.account_id = r.account_id
        where case when q.state = 'leased' and q.lease = r.lease then
            case when p_reported then q.leased_until > now() and q.bot_id is not distinct from r.bot
                    and q.operator_id is not distinct from r.operator
                else q.leased_until <= now() end end
    ), moved as (
        -- Only what leaves its state or went wrong: how far a step is, the queue knows. Where an account moves, the trigger
        -- writes the history.
        update accounts a
        set lifecycle_state = case when l.moves then 'human_review' else a.lifecycle_state end,
            state_changed_at = case when l.moves then now() else a.state_changed_at end,
            warmup_completed_at = case when l.moves and l.completed then now() end,
            requires_human_review = l.moves and not l.completed,
            last_error_message = coalesce(l.error, a.last_error_message),
            last_error_at = case when l.error is null then a.last_error_at else now() end,
            updated_at = now()
        from live l
        where (l.moves or l.error is not null) and a.tenant_id = p_tenant and a.id = l.account_id
            and case when a.lifecycle_state = 'warming_up' then true end
        returning a.id
    ), settled as (
        -- Accounts come first: they are locked before rows of the queue, by everybody.
        update work_queue q
        set state = case when l.moves then 'idle' when q.hold is null then 'ready' else 'held' end,
            hold = case when l.moves then null else q.hold end,
            step = case when l.completed and not l.moves then l.step + 1 else l.step end,
            attempt = case when l.completed then 0 else l.attempt + 1 end,
            run_at = case when l.completed then now() else now() + make_interval(secs =>
                least(p_retry_ms * 2.0 ^ l.attempt, 3600000) * (0.8 + 0.4 * random()) / 1000) end,
            leased_at = null, leased_until = null, bot_id = null, operator_id = null, content_id = null, text_id = null,
            last_bot_action_by = coalesce(l.by, q.last_bot_action_by),
            last_bot_action_at = case when p_reported then now() else q.last_bot_action_at end
        from live l
        where (select count(*) from moved) = (select count(*) from live m where m.moves or m.error is not null)
            and q.ctid = l.tid and q.tenant_id = p_tenant and q.account_id = l.account_id
            and case when q.state = 'leased' then q.lease = l.lease end
        returning l.*
    ), logged as (
        insert into warmup_step_logs (
            tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status, bot_id, operator_id,
            bot_session_id, model_id, content_id, text_id, error_message, retry_count, execution_time_ms,
            instagram_response)
        select p_tenant, s.account_id, s.lease, s.leased_at, case when p_reported then now() end, s.step,
            ('{change_pfp,change_bio,post_highlight,post_story,post_post}'::text[])[s.step], s.outcome, s.bot_id,
            s.operator_id, s.session, s.model_id, s.content_id, s.text_id, s.given_error, s.attempt, s.time_ms, s.response
        from settled s
    ), counted as (
        insert into attempt_count_changes (tenant_id, ended_in, bot_id, completed, failed, timed, time_ms)
        select p_tenant, date_trunc('minute', now()), s.bot_id, count(*) filter (where s.completed),
            count(*) filter (where not s.completed), count(s.time_ms), coalesce(sum(s.time_ms), 0)
        from settled s
        group by s.bot_id
    ), noted as (
        insert into content_uses (tenant_id, content_ids, text_ids, succeeded)
        select p_tenant, array_agg(s.content_id), array_agg(s.text_id), array_agg(s.completed)
        from settled s
        where p_reported and (s.content_id is not null or s.text_id is not null)
        having count(*) > 0
    )
    select (select count(*) from live), array_agg(s.item) into v_live, v_settled from settled s;
    if v_live <> cardinality(coalesce(v_settled, '{}')) then
        raise exception 'accounts or leases changed meanwhile' using errcode = 'serialization_failure';
    end if;
    return v_settled;
end
$$;

-- Takes reports on leased steps from several reporters at once; the items name different leases, in the order of their
-- accounts, and say which reporter's they are. Gives for each, by its number from 1, whether it was accepted, is a
-- duplicate of one accepted before, or is stale; and the outcome that stands.
create or replace function report_steps(
    p_tenant bigint, p_attempts_max smallint, p_retry_ms integer, p_bots bigint[], p_operators bigint[],
    p_requests uuid[], p_addresses text[], p_sessions text[], p_reporters integer[], p_accounts bigint[],
    p_leases bigint[], p_outcomes text[], p_times_ms integer[], p_responses jsonb[], p_errors text[])
    returns table (item integer, verdict text, outcome text)
    language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as
$$
#variable_conflict use_column
declare
    v_settled integer[];
begin
    if cardinality(p_bots) > 1 then
        perform muster_act(p_accounts, p_reporters, p_bots, p_operators, p_requests);
    end if;
    v_settled := settle_steps(p_tenant, true, p_attempts_max, p_retry_ms, p_bots, p_operators, p_sessions, p_reporters,
        p_accounts, p_leases, p_outcomes, p_times_ms, p_responses, p_errors);
    return query select s.item, 'accepted', p_outcomes[s.item] from unnest(v_settled) s (item);

    if cardinality(coalesce(v_settled, '{}')) < cardinality(p_accounts) then
        return query
            with late as materialized (
                select i.item::integer as item, i.account_id, i.lease, i.outcome, i.error, l.status,
                    p_bots[i.reporter] as bot_id, p_operators[i.reporter] as operator_id,
                    p_requests[i.reporter] as request_id, p_addresses[i.reporter] as address
                from unnest(p_reporters, p_accounts, p_leases, p_outcomes, p_errors) with ordinality
                    i (reporter, account_id, lease, outcome, error, item)
                left join warmup_step_logs l on l.tenant_id = p_tenant and l.account_id = i.account_id
                    and l.lease = i.lease and l.completed_at is not null
                    and l.bot_id is not distinct from p_bots[i.reporter]
                    and l.operator_id is not distinct from p_operators[i.reporter]
                where i.item <> all (coalesce(v_settled, '{}'))
            ), recorded as (
                insert into audit_log (
                    tenant_id, triggered_by, operator_id, bot_id, request_id, address, action, object_type, object_id,
                    after)
                select p_tenant, case when l.bot_id is null then 'user' else 'bot' end, l.operator_id, l.bot_id,
                    l.request_id, l.address, 'report.stale', 'account', l.account_id::text,
                    jsonb_strip_nulls(jsonb_build_object('lease', l.account_id || '.' || l.lease,
                        'outcome', l.outcome, 'error', l.error))
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
        where q.tenant_id = p_tenant and q.account_id = i.account_id
            and case when q.state = 'leased' and q.lease = i.lease then q.leased_until > now()
                and q.bot_id is not distinct from p_bot and q.operator_id is not distinct from p_operator end
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
        where q.tenant_id = p_tenant and q.account_id = i.account_id
            and case when q.state = 'leased' and q.lease = i.lease then q.leased_until > now()
                and q.bot_id is not distinct from p_bot and q.operator_id is not distinct from p_operator end
        returning q.account_id, q.lease;
end
$$;

-- Ends up to p_max leases that have run out since p_from, each as a failed attempt that nobody reported; gives how many. What
-- somebody has locked is left for the next time. Before p_from nothing is looked for: what died there may not have been removed.
create or replace function reap_leases(
    p_tenant bigint, p_max integer, p_attempts_max smallint, p_retry_ms integer, p_from timestamptz)
    returns integer
    language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as
$$
declare
    v_accounts bigint[];
    v_leases bigint[];
    v_count integer;
begin
    v_accounts := array(
        select q.account_id from work_queue q
        where q.tenant_id = p_tenant and q.state = 'leased' and q.leased_until >= p_from and q.leased_until <= now()
        order by q.leased_until limit p_max);
    v_accounts := array(
        select a.id from accounts a where a.tenant_id = p_tenant and a.id = any (v_accounts)
        order by a.id for no key update skip locked);
    select coalesce(array_agg(l.account_id), '{}'), array_agg(l.lease) into v_accounts, v_leases
    from (
        select q.account_id, q.lease from work_queue q
        where q.tenant_id = p_tenant and q.account_id = any (v_accounts)
            and case when q.state = 'leased' then q.leased_until <= now() end
        order by q.account_id for no key update skip locked
    ) l;
    v_count := cardinality(v_accounts);
    if v_count > 0 then
        perform settle_steps(p_tenant, false, p_attempts_max, p_retry_ms, null, null, null,
            array_fill(null::integer, array [v_count]), v_accounts, v_leases,
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
        delete from content_uses where tenant_id = p_tenant returning content_ids, text_ids, succeeded, at
    )
    select array_agg(s.pool), array_agg(s.item_id), array_agg(s.used), array_agg(s.succeeded), array_agg(s.at)
    into v_pools, v_items, v_used, v_succeeded, v_at
    from (
        select x.pool, x.item_id, count(*) as used, count(*) filter (where u.succeeded) as succeeded, max(f.at) as at
        from folded f
        cross join lateral unnest(f.content_ids, f.text_ids, f.succeeded) u (content_id, text_id, succeeded)
        cross join lateral (values ('content', u.content_id), ('text', u.text_id)) x (pool, item_id)
        where x.item_id is not null
        group by 1, 2
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
