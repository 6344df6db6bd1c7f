-- The time since which no history and no step log was dropped: of every table, when nothing ever was.
select coalesce((select kept_from::timestamp at time zone 'utc' from retention), '1970-01-01 00:00:00+00') as "kept_from!"
