-- Our ceiling: claims and reports until nothing is left, from inside PostgreSQL, each in a transaction of its own as the
-- server has it, with the parameters handed straight to the functions. Gives the steps done.
create procedure bench.drain(p_tenant bigint, p_bot bigint, p_batch integer, inout p_steps bigint) language plpgsql as
$$
declare
    v_request constant uuid := gen_random_uuid();
    v_accounts bigint[];
    v_leases bigint[];
    v_accepted bigint;
begin
    loop
        perform muster_act_as(p_tenant, 'bot', null, p_bot, v_request);
        select array_agg(c.account_id order by c.account_id), array_agg(c.lease order by c.account_id)
        into v_accounts, v_leases
        from claim_steps(p_tenant, array [p_bot], array [null::bigint], array [p_batch], '{}', null, 120, null) c;
        commit;
        exit when v_accounts is null;
        perform muster_act_as(p_tenant, 'bot', null, p_bot, v_request);
        select count(*) into v_accepted
        from report_steps(p_tenant, 5::smallint, 30000, array [p_bot], array [null::bigint], array [v_request],
            array ['127.0.0.1'], array ['bench'], array_fill(1, array [cardinality(v_accounts)]), v_accounts, v_leases,
            array_fill('completed'::text, array [cardinality(v_accounts)]), array_fill(120, array [cardinality(v_accounts)]),
            array_fill(null::jsonb, array [cardinality(v_accounts)]), array_fill(null::text, array [cardinality(v_accounts)])) r
        where r.verdict = 'accepted';
        commit;
        p_steps := p_steps + v_accepted;
    end loop;
end
$$;
