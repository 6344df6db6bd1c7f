-- Drops the months of history and step log that are over for longer than $1 months, if they are backed up; gives how many partitions.
select drop_partitions($1) as "dropped!"
