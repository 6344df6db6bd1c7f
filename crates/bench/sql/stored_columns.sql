-- The names of a table's columns, but for those that are computed.
create function bench.stored_columns(p_table regclass) returns text language sql as
$$
    select string_agg(quote_ident(attname), ', ' order by attnum)
    from pg_attribute where attrelid = p_table and attnum > 0 and not attisdropped and attgenerated = ''
$$;
