-- Monthly partitions of the history and the step log.

-- Makes the partitions from last month to the given number of months ahead; those that exist are left alone. Runs as
-- its owner, so that the serving roles can have partitions made without owning tables.
create or replace function make_partitions(months_ahead integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp as
$$
declare
    parent text;
    month date;
    child text;
    made integer := 0;
begin
    -- One at a time: two servers may start together.
    perform pg_advisory_xact_lock(hashtext('muster.make_partitions'));
    foreach parent in array array ['account_state_history', 'warmup_step_logs'] loop
        for month in select generate_series(
            date_trunc('month', now() at time zone 'utc') - interval '1 month',
            date_trunc('month', now() at time zone 'utc') + make_interval(months => least(months_ahead, 24)),
            interval '1 month')::date
        loop
            child := parent || '_' || to_char(month, 'YYYY_MM');
            continue when to_regclass(child) is not null;
            execute format(
                'create table %I partition of %I for values from (%L) to (%L)',
                child, parent, month::timestamp at time zone 'utc', (month + interval '1 month')::timestamp at time zone 'utc');
            -- A partition addressed directly shows nothing: no grants, no policy.
            execute format('alter table %I enable row level security', child);
            execute format('alter table %I force row level security', child);
            made := made + 1;
        end loop;
    end loop;
    return made;
end
$$;

select make_partitions(6);
