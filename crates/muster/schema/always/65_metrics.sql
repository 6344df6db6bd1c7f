-- The rollup of metrics: counts days again, from what happened on them.

-- What failures are told apart by: the first line of what was reported, whatever its numbers.
create or replace function failure_cause(p_error text) returns text language sql immutable as
$$
    select coalesce(
        nullif(btrim(left(regexp_replace(split_part(btrim(p_error), E'\n', 1), '[0-9]+', '#', 'g'), 100)), ''),
        'no reason was given')
$$;

-- Counts days of a tenant again, in UTC: those from p_from to p_to, or, where these are null, those on which something can have
-- happened since it was counted last; gives how many. Days whose step log was dropped stay as they are. Deletes those older than p_keep_days. Whatever the order and the
-- number of calls, what is stored of a day is what happened on it. One at a time: the next waits.
create or replace function roll_up_metrics(p_tenant bigint, p_from date, p_to date, p_keep_days integer) returns integer
    language plpgsql set plan_cache_mode = force_custom_plan as
$$
declare
    -- The commonest causes that are told apart, of a day, a model and a step.
    v_causes_max constant integer := 20;
    -- No transaction that writes what is counted here is longer.
    v_transaction_max constant interval := interval '1 hour';
    v_last timestamptz;
    v_open date[];
    v_now timestamptz;
    v_today date;
    v_days date[];
    v_day date;
    v_begin timestamptz;
    v_end timestamptz;
begin
    insert into metric_rollups (tenant_id) values (p_tenant) on conflict (tenant_id) do nothing;
    select r.counted_until, r.open_days into v_last, v_open from metric_rollups r where r.tenant_id = p_tenant for update;
    v_now := clock_timestamp();
    v_today := (v_now at time zone 'utc')::date;

    if p_from is null then
        v_days := array(
            select d.day from (
                select generate_series(
                    coalesce(
                        ((v_last - v_transaction_max) at time zone 'utc')::date,
                        (select (t.created_at at time zone 'utc')::date from tenants t where t.id = p_tenant)),
                    v_today, interval '1 day')::date as day
                union
                select unnest(v_open)
            ) d
            where d.day > v_today - p_keep_days and d.day <= v_today
            order by 1);
        -- Before attempts are counted: one that ends in between is counted now, and its day once more.
        update metric_rollups r
        set counted_until = greatest(r.counted_until, v_now),
            open_days = array(
                select distinct (q.leased_at at time zone 'utc')::date from work_queue q
                where q.tenant_id = p_tenant and q.state = 'leased' and q.leased_at < v_now - v_transaction_max)
        where r.tenant_id = p_tenant;
    else
        v_days := array(select generate_series(
            greatest(p_from, v_today - p_keep_days + 1, (select r.kept_from from retention r)), least(p_to, v_today), interval '1 day')::date);
    end if;

    foreach v_day in array v_days loop
        v_begin := v_day::timestamp at time zone 'utc';
        v_end := (v_day + 1)::timestamp at time zone 'utc';

        delete from daily_step_metrics where tenant_id = p_tenant and date = v_day;
        insert into daily_step_metrics (
            tenant_id, date, model_id, step_number, attempts, completed, failed, given_to_people, unreported, bot_actions,
            bot_errors, timed, time_ms)
        select p_tenant, v_day, m.id, l.step_number, count(*), count(*) filter (where l.status = 'completed'),
            count(*) filter (where l.status not in ('completed', 'requires_review')),
            count(*) filter (where l.status = 'requires_review'),
            count(*) filter (where l.completed_at is null and l.status not in ('completed', 'requires_review')),
            count(l.bot_id), count(l.bot_id) filter (where l.status <> 'completed'),
            count(l.execution_time_ms) filter (where l.bot_id is not null),
            coalesce(sum(l.execution_time_ms) filter (where l.bot_id is not null), 0)
        from warmup_step_logs l
        left join models m on m.tenant_id = p_tenant and m.id = l.model_id
        where l.tenant_id = p_tenant and l.started_at >= v_begin and l.started_at < v_end
        group by grouping sets ((l.step_number), (l.step_number, m.id))
        having grouping(m.id) = 1 or m.id is not null;

        delete from daily_failures where tenant_id = p_tenant and date = v_day;
        insert into daily_failures (tenant_id, date, model_id, step_number, cause, failures)
        select p_tenant, v_day, f.model_id, f.step_number,
            case when f.place <= v_causes_max then f.cause else 'other causes' end, sum(f.failures)
        from (
            select m.id as model_id, l.step_number, c.cause, count(*) as failures,
                row_number() over (
                    partition by grouping(m.id), m.id, l.step_number order by count(*) desc, c.cause collate "C") as place
            from warmup_step_logs l
            cross join lateral failure_cause(l.error_message) c (cause)
            left join models m on m.tenant_id = p_tenant and m.id = l.model_id
            where l.tenant_id = p_tenant and l.started_at >= v_begin and l.started_at < v_end and l.status <> 'completed'
            group by grouping sets ((l.step_number, c.cause), (l.step_number, c.cause, m.id))
            having grouping(m.id) = 1 or m.id is not null
        ) f
        group by 3, 4, 5;

        with happened as (
            select m.id as model_id, count(distinct h.account_id) filter (where h.event = 'escalate') as failed_accounts,
                count(*) filter (where h.event = 'finish_warmup') as warmups_finished,
                coalesce(sum(extract(epoch from h.created_at - b.at)) filter (where h.event = 'finish_warmup'), 0)::bigint
                    as warmup_secs,
                count(*) filter (where h.event = 'approve') as reviews_approved,
                count(*) filter (where h.event = 'resume') as reviews_resumed,
                count(*) filter (where h.event = 'retire') as reviews_rejected
            from account_state_history h
            left join models m on m.tenant_id = p_tenant and m.id = h.model_id
            left join lateral (
                select max(s.created_at) as at from account_state_history s
                where h.event = 'finish_warmup' and s.tenant_id = p_tenant and s.account_id = h.account_id
                    and s.created_at < h.created_at and s.event = 'start_warmup'
            ) b on true
            where h.tenant_id = p_tenant and h.created_at >= v_begin and h.created_at < v_end
                and (h.event in ('escalate', 'finish_warmup', 'approve', 'resume')
                    or (h.event = 'retire' and h.from_state = 'human_review'))
            group by grouping sets ((), (m.id))
            having grouping(m.id) = 1 or m.id is not null
        ), worked as (
            select s.model_id, sum(s.bot_actions) as bot_actions, sum(s.bot_errors) as bot_errors,
                coalesce(sum(s.time_ms) / nullif(sum(s.timed), 0), 0) as average_time_ms,
                array(
                    select coalesce(round(100.0 * max(o.completed) / max(o.attempts), 2), 0)
                    from generate_series(1, 5) n
                    left join daily_step_metrics o on o.tenant_id = p_tenant and o.date = v_day
                        and o.model_id is not distinct from s.model_id and o.step_number = n
                    group by n order by n) as rates
            from daily_step_metrics s
            where s.tenant_id = p_tenant and s.date = v_day
            group by s.model_id
        ), known as (
            select null::bigint as model_id
            union select model_id from happened
            union select model_id from worked
            union select model_id from daily_metrics where tenant_id = p_tenant and date = v_day
        )
        insert into daily_metrics as d (
            tenant_id, date, model_id, failed_accounts, warmups_finished, warmup_secs, reviews_approved, reviews_resumed,
            reviews_rejected, bot_actions, bot_errors, average_execution_time_ms, step_1_success_rate, step_2_success_rate,
            step_3_success_rate, step_4_success_rate, step_5_success_rate)
        select p_tenant, v_day, k.model_id, coalesce(h.failed_accounts, 0), coalesce(h.warmups_finished, 0),
            coalesce(h.warmup_secs, 0), coalesce(h.reviews_approved, 0), coalesce(h.reviews_resumed, 0),
            coalesce(h.reviews_rejected, 0), coalesce(w.bot_actions, 0), coalesce(w.bot_errors, 0),
            coalesce(w.average_time_ms, 0), coalesce(w.rates[1], 0), coalesce(w.rates[2], 0), coalesce(w.rates[3], 0),
            coalesce(w.rates[4], 0), coalesce(w.rates[5], 0)
        from known k
        left join happened h on h.model_id is not distinct from k.model_id
        left join worked w on w.model_id is not distinct from k.model_id
        order by k.model_id nulls first
        on conflict (tenant_id, date, model_id) do update
        set failed_accounts = excluded.failed_accounts, warmups_finished = excluded.warmups_finished,
            warmup_secs = excluded.warmup_secs, reviews_approved = excluded.reviews_approved,
            reviews_resumed = excluded.reviews_resumed, reviews_rejected = excluded.reviews_rejected,
            bot_actions = excluded.bot_actions, bot_errors = excluded.bot_errors,
            average_execution_time_ms = excluded.average_execution_time_ms,
            step_1_success_rate = excluded.step_1_success_rate, step_2_success_rate = excluded.step_2_success_rate,
            step_3_success_rate = excluded.step_3_success_rate, step_4_success_rate = excluded.step_4_success_rate,
            step_5_success_rate = excluded.step_5_success_rate;
    end loop;

    -- What accounts and proxies there are can be counted only on the day itself.
    if v_today = any (v_days) then
        insert into daily_metrics as d (
            tenant_id, date, model_id, counted_at, total_accounts, active_accounts, warming_up_accounts, active_proxies,
            proxy_places, proxy_accounts, proxy_monthly_cost, proxy_utilization_rate)
        select p_tenant, v_today, k.model_id, v_now, coalesce(a.total, 0), coalesce(a.active, 0), coalesce(a.warming_up, 0),
            coalesce(p.active, 0), coalesce(p.places, 0), coalesce(p.accounts, 0), coalesce(p.monthly_cost, 0),
            coalesce(round(100.0 * p.accounts / nullif(p.places, 0), 2), 0)
        from (select null::bigint as model_id union all select id from models where tenant_id = p_tenant) k
        left join (
            select c.model_id, sum(c.accounts) filter (where c.lifecycle_state <> 'cleanup') as total,
                sum(c.accounts) filter (where c.lifecycle_state = 'active') as active,
                sum(c.accounts) filter (where c.lifecycle_state = 'warming_up') as warming_up
            from counted_accounts(p_tenant) c
            group by grouping sets ((), (c.model_id))
            having grouping(c.model_id) = 1 or c.model_id is not null
        ) a on a.model_id is not distinct from k.model_id
        left join (
            select x.model_id, sum(x.proxies - x.failed - x.inactive) as active, sum(x.places) as places,
                sum(x.accounts) as accounts, sum(x.monthly_cost) as monthly_cost
            from counted_proxies(p_tenant) x
            where x.share = 'model'
            group by grouping sets ((), (x.model_id))
            having grouping(x.model_id) = 1 or x.model_id is not null
        ) p on p.model_id is not distinct from k.model_id
        order by k.model_id nulls first
        on conflict (tenant_id, date, model_id) do update
        set counted_at = excluded.counted_at, total_accounts = excluded.total_accounts,
            active_accounts = excluded.active_accounts, warming_up_accounts = excluded.warming_up_accounts,
            active_proxies = excluded.active_proxies, proxy_places = excluded.proxy_places,
            proxy_accounts = excluded.proxy_accounts, proxy_monthly_cost = excluded.proxy_monthly_cost,
            proxy_utilization_rate = excluded.proxy_utilization_rate;
    end if;

    delete from daily_metrics where tenant_id = p_tenant and date <= v_today - p_keep_days;
    delete from daily_step_metrics where tenant_id = p_tenant and date <= v_today - p_keep_days;
    delete from daily_failures where tenant_id = p_tenant and date <= v_today - p_keep_days;
    return cardinality(v_days);
end
$$;
