-- Whether the schema has been migrated at all.
select to_regclass('public._sqlx_migrations') is not null as "there!"
