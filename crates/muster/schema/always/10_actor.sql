-- Who is acting, as the transaction says. Set by the one place that opens transactions, local to the transaction.

create or replace function muster_tenant() returns bigint language sql stable parallel safe as
$$ select nullif(current_setting('muster.tenant_id', true), '')::bigint $$;

create or replace function muster_triggered_by() returns text language sql stable parallel safe as
$$ select coalesce(nullif(current_setting('muster.triggered_by', true), ''), 'system') $$;

create or replace function muster_operator() returns bigint language sql stable parallel safe as
$$ select nullif(current_setting('muster.operator_id', true), '')::bigint $$;

create or replace function muster_bot() returns bigint language sql stable parallel safe as
$$ select nullif(current_setting('muster.bot_id', true), '')::bigint $$;

create or replace function muster_request() returns uuid language sql stable parallel safe as
$$ select nullif(current_setting('muster.request_id', true), '')::uuid $$;

create or replace function muster_reason() returns text language sql stable parallel safe as
$$ select nullif(current_setting('muster.reason', true), '') $$;

-- Who is acting on which account, where a transaction does what several actors asked for; no rows where it acts for one.
create or replace function muster_acts()
    returns table (account_id bigint, bot_id bigint, operator_id bigint, request_id uuid) language sql stable as
$$
    select account_id, bot_id, operator_id, request_id
    from jsonb_to_recordset(nullif(current_setting('muster.acts', true), '')::jsonb)
        as act (account_id bigint, bot_id bigint, operator_id bigint, request_id uuid)
$$;
