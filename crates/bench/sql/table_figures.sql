-- Of this database: transactions committed, row versions that are dead and not yet vacuumed, and bytes of tables and indexes.
select
    (select d.xact_commit from pg_stat_database d where d.datname = current_database()),
    (select coalesce(sum(t.n_dead_tup), 0)::bigint from pg_stat_user_tables t),
    (select coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint from pg_stat_user_tables t)
