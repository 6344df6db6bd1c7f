-- Makes a restore point named $1; gives the time just before, by which everything before it was committed or is left out.
select clock_timestamp() as "at!", pg_create_restore_point($1)::text as "lsn!"
