-- Gives the newest migration that is stored, or null.
select max(version) as version from _sqlx_migrations
