-- Writes every column of a table that is stored to a file, as COPY has it in binary.
create procedure bench.copy_out(p_table regclass, p_file text) language plpgsql as
$$
begin
    execute format('copy %s (%s) to %L (format binary)', p_table, bench.stored_columns(p_table), p_file);
end
$$;
