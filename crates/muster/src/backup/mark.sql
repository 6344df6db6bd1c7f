-- Makes a restore point named $1, and a commit after it, by which recovery knows that it has passed any earlier time; gives the
-- time just before.
select clock_timestamp() as "at!", pg_create_restore_point($1)::text as "lsn!", pg_current_xact_id()::text as "transaction!"
