-- Reads a file that copy_out wrote into the same table, with its indexes and whatever its triggers do, as the system acting
-- for a tenant.
create procedure bench.copy_in(p_tenant bigint, p_table regclass, p_file text) language plpgsql as
$$
begin
    perform set_config('muster.tenant_id', p_tenant::text, true), set_config('muster.triggered_by', 'system', true);
    execute format('copy %s (%s) from %L (format binary)', p_table, bench.stored_columns(p_table), p_file);
end
$$;
