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

select make_partitions(6);
