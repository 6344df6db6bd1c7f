-- Marks what is in a pool twice by what has changed since the last time.
select mark_duplicates($1) as "marked!"
