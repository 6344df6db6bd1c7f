-- Two tenants, 1 and 2, one large and one small: of every two hundred accounts one is the small one's. How many there are
-- says the setting fixture.accounts, and how much history each has, fixture.events. Loaded by the superuser with triggers
-- and foreign keys off; true to itself all the same. Indexes that no constraint needs are built when the rows are there.
create temporary table built as
    select c.relname, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ') as definition
    from pg_class c join pg_index i on i.indexrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('i', 'I') and not c.relispartition
        and not exists (select from pg_constraint k where k.conindid = c.oid);
do
$$
declare
    name text;
begin
    for name in select relname from built loop
        execute format('drop index %I', name);
    end loop;
end
$$;
insert into operators (id, email, name) overriding system value
    select n, 'p' || n || '@example.com', 'P' || n from generate_series(1001, 1200) n;
insert into memberships (tenant_id, operator_id, role)
    select 1 + (n % 20 = 0)::int, n, 'operator' from generate_series(1001, 1200) n;
insert into sessions (tenant_id, token_hash, operator_id, expires_at)
    select 1 + (n % 20 = 0)::int, sha256(n::text::bytea), 1001 + n % 200, now() + interval '1 day' from generate_series(1, 500) n;
insert into bots (tenant_id, id, name) overriding system value
    select 1 + (n % 20 = 0)::int, 1000 + n, 'b' || n from generate_series(1, 100) n;
insert into api_tokens (tenant_id, id, kind, name, hash, hint, bot_id, expires_at) overriding system value
    select 1 + (n % 20 = 0)::int, 1000 + n, 'bot', 'n', sha256(n::text::bytea), 'h', 1001 + n % 100, now() + interval '1 day'
    from generate_series(1, 500) n;
insert into models (tenant_id, id, name, status) overriding system value
    select 1 + (n % 10 = 0)::int, n, 'model ' || n, case when n % 25 = 3 then 'paused' else 'active' end
    from generate_series(1, 110) n;

insert into accounts (tenant_id, id, username, email, status, model_id, lifecycle_state, state_changed_at,
        warmup_started_at, warmup_completed_at, proxy_id, proxy_assigned_at, authorisation_basis, authorisation_reference,
        authorisation_expires_at, requires_human_review, bio)
    overriding system value
    select a.tenant, a.n, substr(md5(a.n::text), 1, 4) || a.n, 'owner@example.com',
        case a.n % 100 when 13 then 'banned' when 14 then 'suspended' when 15 then 'inactive' else 'active' end,
        case when a.n % 50 <> 1 then a.model end, a.state, now() - (a.n % 9973) * interval '4 minutes',
        now() - interval '8 days',
        case when a.state in ('ready', 'active') then now() - interval '1 day' end,
        case when a.state not in ('imported', 'cleanup') then a.proxy end,
        now(), case when a.n % 40 <> 0 or a.state not in ('imported', 'cleanup') then 'owned' end,
        case when a.n % 40 <> 0 then 'contract ' || a.n % 500 end,
        case when a.n % 40 <> 0 and a.n % 3 = 0 then now() + (a.n % 9000 - 300) * interval '1 hour' end,
        a.state = 'human_review' and a.n % 3 = 0, repeat('something about it ', 4)
    from (
        select n, 1 + (n % 200 = 0)::int as tenant,
            -- Three accounts to a proxy.
            case when n % 200 = 0 then current_setting('fixture.accounts')::int + n / 600 else 1 + n / 3 end as proxy,
            case when n % 200 = 0 then 10 * (1 + n / 200 % 11) else n % 11 * 10 + 1 + n / 11 % 9 end as model,
            (array['imported', 'imported', 'proxy_assigned', 'warming_up', 'warming_up', 'human_review', 'ready', 'active',
                'active', 'cleanup'])[1 + n / 7 % 10] as state
        from generate_series(1, current_setting('fixture.accounts')::int) n
    ) a;
insert into proxies (tenant_id, id, scheme, host, port, username, provider, location, monthly_cost, status, account_count,
        assigned_model_id, last_tested_at)
    overriding system value
    select 1 + (n >= current_setting('fixture.accounts')::int)::int, n, 'http', 'gate' || n % 50 || '.example.com', 8000,
        'u' || n, 'provider ' || n % 7, 'city ' || n % 30, 2,
        case when n % 100 = 7 then 'error' when n % 100 = 8 then 'inactive' else 'active' end, coalesce(a.accounts, 0),
        case when n % 5 = 0 and n < current_setting('fixture.accounts')::int then 1 + n % 9 end, now()
    from (
        select generate_series(1, 1 + current_setting('fixture.accounts')::int / 3)
        union all
        select current_setting('fixture.accounts')::int + generate_series(0, current_setting('fixture.accounts')::int / 600)
    ) p (n)
    left join (select proxy_id, count(*) as accounts from accounts where proxy_id is not null group by 1) a on a.proxy_id = n;
update models m set total_accounts = a.total, active_accounts = a.active
    from (
        select model_id, count(*) as total, count(*) filter (where lifecycle_state = 'active') as active from accounts group by 1
    ) a
    where a.model_id = m.id;
insert into account_counts (tenant_id, model_id, lifecycle_state, status, accounts)
    select tenant_id, model_id, lifecycle_state, status, count(*) from accounts group by 1, 2, 3, 4;
insert into account_count_changes (tenant_id, model_id, lifecycle_state, status, change)
    select tenant_id, model_id, lifecycle_state, status, 0 from account_counts where accounts % 10 = 0;
insert into authorisations (tenant_id, account_id, recorded_at, basis)
    select tenant_id, id, now() - interval '9 days', 'owned' from accounts where authorisation_basis is not null;
insert into work_queue (tenant_id, account_id, model_id, step, state, hold, authorised_until, run_at, lease, leased_at,
        leased_until, bot_id)
    select a.tenant_id, a.id, a.model_id, 1 + a.id % 5,
        case when a.lifecycle_state <> 'warming_up' then 'idle' when h.hold is not null then 'held'
            when a.id % 50 = 2 then 'leased' else 'ready' end,
        case when a.lifecycle_state = 'warming_up' then h.hold end,
        coalesce(a.authorisation_expires_at, 'infinity'), now() + (a.id % 600 - 300) * interval '1 second', 5,
        case when a.lifecycle_state = 'warming_up' and h.hold is null and a.id % 50 = 2 then now() end,
        case when a.lifecycle_state = 'warming_up' and h.hold is null and a.id % 50 = 2 then now() + interval '1 hour' end, 1
    from accounts a
    left join models m on m.tenant_id = a.tenant_id and m.id = a.model_id
    left join proxies p on p.tenant_id = a.tenant_id and p.id = a.proxy_id
    cross join lateral (select coalesce(
        account_hold(a.status, a.authorisation_basis, a.authorisation_expires_at, a.model_id, m.status, p.status),
        case when a.id % 70 = 5 then 'pool_empty' end) as hold) h
    where a.lifecycle_state not in ('imported', 'proxy_assigned');
insert into bot_sessions (tenant_id, account_id, data_encrypted, updated_at)
    select tenant_id, account_id, '\x00', now() from work_queue where account_id % 4 = 0;

-- Over the last four weeks, so in the two months that have a partition for certain.
insert into account_state_history (tenant_id, account_id, created_at, event, from_state, to_state, triggered_by, bot_id)
    select a.tenant_id, a.id, a.state_changed_at - (k - 1) * interval '1 minute',
        case when k = 1 and a.lifecycle_state = 'human_review'
            then (array['finish_warmup', 'escalate', 'flag'])[1 + a.id % 3] else 'import' end,
        null, case when k = 1 then a.lifecycle_state else 'imported' end, 'bot', 1
    from accounts a cross join generate_series(1, current_setting('fixture.events')::int) k
    -- As they come, which is what the index of their time lives by.
    order by 3;
insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status, bot_id)
    select a.tenant_id, a.id, k, a.state_changed_at - (9 - k) * interval '1 minute', now(), 1 + k % 5,
        (array['change_pfp', 'change_bio', 'post_highlight', 'post_story', 'post_post'])[1 + k % 5],
        case when (a.id + k) % 50 = 0 then 'failed' else 'completed' end, a.id % 10
    from accounts a cross join generate_series(1, current_setting('fixture.events')::int) k
    where a.lifecycle_state not in ('imported', 'proxy_assigned', 'warming_up')
    order by a.state_changed_at, a.id, k;

insert into audit_log (tenant_id, at, triggered_by, operator_id, request_id, action, object_type, object_id, after)
    select tenant_id, now() - id * interval '3 seconds', 'user', 1001 + id % 200, gen_random_uuid(),
        (array['account.update', 'account.create', 'proxy.update', 'token.create'])[1 + id % 4], 'account', id::text,
        '{"status": "active"}'
    from accounts where id % 2 = 0;
insert into idempotency_keys (tenant_id, actor, key, request_hash)
    select tenant_id, 'user:1', id::text, '\x00' from accounts where id % 10 = 0;
insert into imports (tenant_id, id, kind, state) overriding system value
    select 1 + (n % 20 = 0)::int, n, (array['accounts', 'proxies', 'texts'])[1 + n % 3],
        (array['staged', 'committed', 'discarded'])[1 + n / 3 % 3]
    from generate_series(1, 500) n;
insert into import_rows (tenant_id, import_id, line, verdict, key, target_id)
    select 1 + (n % 200 = 0)::int, case when n % 200 = 0 then 20 else 1 + n % 3 end, n,
        (array['new', 'changed', 'same', 'rejected'])[1 + n % 4], 'key ' || n, n
    from generate_series(1, current_setting('fixture.accounts')::int / 2) n;
insert into model_content (tenant_id, id, model_id, content_type, image_url, text_content, is_template, usage_count, last_used_at)
    overriding system value
    select m.tenant_id, m.id * 10000 + n, m.id, (array['pfp', 'post', 'highlight', 'story', 'any'])[1 + n % 5],
        'https://example.com/' || n, 'a text ' || n, n % 20 = 0, n % 100, now() - n % 30 * interval '1 day'
    from models m cross join generate_series(1, least(2000, current_setting('fixture.accounts')::int / 500)) n;
insert into text_pools (tenant_id, id, model_id, content_type, text_content, is_template, usage_count, last_used_at)
    overriding system value
    select m.tenant_id, m.id * 10000 + n, m.id, (array['bio', 'post', 'story', 'highlight'])[1 + n % 4], 'a text ' || n,
        n % 20 = 0, n % 100, now() - n % 30 * interval '1 day'
    from models m cross join generate_series(1, least(2000, current_setting('fixture.accounts')::int / 500)) n;
insert into pool_counts (tenant_id, model_id, pool, used_on, items, uses, completed)
    select t.id, p.model_id, p.pool, p.used_on, p.items, p.uses, p.completed
    from generate_series(1, 2) t (id) cross join lateral pools_there(t.id) p;
insert into pool_count_changes (tenant_id, model_id, pool, used_on, items, uses, completed)
    select tenant_id, model_id, pool, used_on, 0, 0, 0 from pool_counts where items % 3 = 0;
insert into proxy_counts (tenant_id, share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost)
    select t.id, p.share, p.model_id, p.location, p.proxies, p.failed, p.inactive, p.accounts, p.places, p.monthly_cost
    from generate_series(1, 2) t (id) cross join lateral proxies_there(t.id) p;
insert into proxy_count_changes (tenant_id, share, model_id, location, proxies, failed, inactive, accounts, places, monthly_cost)
    select tenant_id, share, model_id, location, 0, 0, 0, 0, 0, 0 from proxy_counts;
insert into attempt_counts (tenant_id, ended_in, bot_id, completed, failed, timed, time_ms)
    select b.tenant_id, m.at, b.bot_id, 100, 1, 100, 12000
    from generate_series(date_trunc('minute', now()) - interval '1 hour', now() + interval '1 hour', interval '1 minute') m (at)
    cross join (
        select tenant_id, id from bots
        union all
        select 1, 1000000 + n from generate_series(1, 200) n
        union all
        select t, 0 from generate_series(1, 2) t
    ) b (tenant_id, bot_id);
insert into attempt_count_changes (tenant_id, ended_in, bot_id, completed, failed, timed, time_ms)
    select tenant_id, date_trunc('minute', now()), id, 3, 0, 3, 360 from bots;
insert into content_uses (tenant_id, content_ids, text_ids, succeeded)
    select tenant_id, array[id], '{null}', '{true}' from model_content where id % 1000 = 1;
insert into daily_metrics (tenant_id, id, date, model_id) overriding system value
    select m.tenant_id, m.id * 1000 + d, current_date - d, m.id from models m cross join generate_series(1, 100) d;
insert into daily_step_metrics (
        tenant_id, date, model_id, step_number, attempts, completed, failed, given_to_people, unreported, bot_actions,
        bot_errors, timed, time_ms)
    select m.tenant_id, current_date - d, m.id, s, 10, 8, 1, 1, 0, 10, 2, 10, 900
    from models m cross join generate_series(1, 100) d cross join generate_series(1, 5) s;
insert into daily_failures (tenant_id, date, model_id, step_number, cause, failures)
    select tenant_id, date, model_id, step_number, 'cause ' || c, 1 from daily_step_metrics cross join generate_series(1, 2) c;
do
$$
declare
    statement text;
begin
    for statement in select definition from built loop
        execute statement;
    end loop;
end
$$;
