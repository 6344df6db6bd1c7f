-- Leads a part of the accounts of a tenant, whose warm-up has begun, on as over a year of use, with every trigger firing: of ten
-- one still warms up, one waits for a review, three are ready and five are active. So there are five rows of history for each.
create procedure bench.advance(p_tenant bigint, p_part integer, p_parts integer) language plpgsql as
$$
begin
    perform set_config('muster.tenant_id', p_tenant::text, true), set_config('muster.triggered_by', 'system', true);
    update accounts set lifecycle_state = 'human_review', warmup_completed_at = now() where tenant_id = p_tenant and model_id % p_parts = p_part and id % 10 > 0;
    update accounts set lifecycle_state = 'ready' where tenant_id = p_tenant and model_id % p_parts = p_part and id % 10 > 1;
    update accounts set lifecycle_state = 'active' where tenant_id = p_tenant and model_id % p_parts = p_part and id % 10 > 4;
    update accounts set state_changed_at = now() - id % 365 * interval '1 day' where tenant_id = p_tenant and model_id % p_parts = p_part;
end
$$;
