-- Says who acts, for the rest of the transaction, as the server says it.
create function bench.act(p_tenant bigint, p_bot bigint, p_request uuid) returns void language plpgsql as
$$
begin
    perform set_config('muster.tenant_id', p_tenant::text, true), set_config('muster.triggered_by', 'bot', true),
        set_config('muster.bot_id', p_bot::text, true), set_config('muster.request_id', p_request::text, true);
end
$$;
