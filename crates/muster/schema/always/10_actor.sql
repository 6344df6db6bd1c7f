-- Who is acting, as the transaction says, local to it.

-- Says who acts in this transaction, and gives their tenant. A statement that is a transaction of its own says so in its first
-- argument: arguments are known before the function is called.
create or replace function muster_act_as(
    p_tenant bigint, p_triggered_by text, p_operator bigint, p_bot bigint, p_request uuid) returns bigint language plpgsql as
$$
begin
    perform set_config('muster.tenant_id', p_tenant::text, true), set_config('muster.triggered_by', p_triggered_by, true),
        set_config('muster.operator_id', coalesce(p_operator::text, ''), true),
        set_config('muster.bot_id', coalesce(p_bot::text, ''), true),
        set_config('muster.request_id', p_request::text, true), set_config('muster.reason', '', true);
    return p_tenant;
end
$$;

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

-- Says who is acting on which account, where a transaction does what several actors asked for: of each account the number
-- of its actor, and of each actor who it is and by which request. As arrays, which are many times quicker to write down
-- for hundreds of accounts than an object for each.
create or replace function muster_act(
    p_accounts bigint[], p_actors integer[], p_bots bigint[], p_operators bigint[], p_requests uuid[])
    returns void language sql as
$$
    select set_config('muster.act_accounts', p_accounts::text, true), set_config('muster.act_actors', p_actors::text, true),
        set_config('muster.act_bots', p_bots::text, true), set_config('muster.act_operators', p_operators::text, true),
        set_config('muster.act_requests', p_requests::text, true)
$$;

-- Who is acting on which account, as muster_act said; no rows where the transaction acts for one.
create or replace function muster_acts()
    returns table (account_id bigint, bot_id bigint, operator_id bigint, request_id uuid) language sql stable as
$$
    select i.account_id, a.bot_id, a.operator_id, a.request_id
    from unnest(
        nullif(current_setting('muster.act_accounts', true), '')::bigint[],
        nullif(current_setting('muster.act_actors', true), '')::integer[]) i (account_id, actor)
    join unnest(
        nullif(current_setting('muster.act_bots', true), '')::bigint[],
        nullif(current_setting('muster.act_operators', true), '')::bigint[],
        nullif(current_setting('muster.act_requests', true), '')::uuid[]) with ordinality
        a (bot_id, operator_id, request_id, actor) using (actor)
$$;
