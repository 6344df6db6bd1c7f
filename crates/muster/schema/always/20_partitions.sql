-- Monthly partitions of the history and the step log.

-- Makes the partition of a table for a month, which is given by its first day; says whether there was none.
create or replace function make_partition(p_parent text, p_month date) returns boolean language plpgsql as
$$
declare
    child text := p_parent || '_' || to_char(p_month, 'YYYY_MM');
begin
    if to_regclass(child) is not null then
        return false;
    end if;
    execute format(
        'create table %I partition of %I for values from (%L) to (%L)', child, p_parent,
        p_month::timestamp at time zone 'utc', (p_month + interval '1 month')::timestamp at time zone 'utc');
    -- A partition addressed directly shows nothing: no grants, no policy.
    execute format('alter table %I enable row level security', child);
    execute format('alter table %I force row level security', child);
    return true;
end
$$;

-- Makes the partitions from last month to the given number of months ahead; those that exist are left alone. Runs as
-- its owner, so that the serving roles can have partitions made without owning tables.
create or replace function make_partitions(months_ahead integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp as
$$
declare
    made integer;
begin
    -- One at a time: two servers may start together.
    perform pg_advisory_xact_lock(hashtext('muster.make_partitions'));
    select count(*) filter (where make_partition(parent, month::date)) into made
    from unnest(array ['account_state_history', 'warmup_step_logs']) parent
    cross join generate_series(
        date_trunc('month', now() at time zone 'utc') - interval '1 month',
        date_trunc('month', now() at time zone 'utc') + make_interval(months => least(months_ahead, 24)),
        interval '1 month') month;
    return made;
end
$$;

-- The partitions of months that are over for longer than a number of months, oldest first.
create or replace function old_partitions(p_months integer) returns table (partition text, month date)
    language sql stable as
$$
select c.relname::text, m.month
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
cross join lateral to_date(substring(c.relname from '_([0-9]{4}_[0-9]{2})$'), 'YYYY_MM') m (month)
where i.inhparent in ('account_state_history'::regclass, 'warmup_step_logs'::regclass)
    and m.month < (date_trunc('month', now() at time zone 'utc') - make_interval(months => p_months))::date
order by 2, 1
$$;

-- Whether a backup that holds everything of the last months and before is known to be good: the last drill was, and what it
-- restored went up to a moment of the last 26 hours.
create or replace function is_backed_up() returns boolean language sql stable as
$$
select coalesce(
    (select d.good and coalesce(d.recovery_point > now() - interval '26 hours', false)
     from backup_runs d where d.event = 'drill' order by d.started_at desc limit 1),
    false)
$$;

-- Drops the partitions of months that are over for longer than a number of months, if they are in a backup that is known to be
-- good; gives how many. Runs as its owner, like make_partitions.
create or replace function drop_partitions(p_months integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as
$$
declare
    item record;
    dropped integer := 0;
begin
    if p_months < 3 then
        raise exception 'at least three months are kept' using errcode = '22023';
    end if;
    if not is_backed_up() then
        return 0;
    end if;
    perform pg_advisory_xact_lock(hashtext('muster.make_partitions'));
    for item in select o.partition, o.month from old_partitions(p_months) o loop
        execute format('drop table %I', item.partition);
        insert into retention as r (kept_from) values (item.month + interval '1 month')
        on conflict (only_row) do update set kept_from = greatest(r.kept_from, excluded.kept_from);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

select make_partitions(6);
