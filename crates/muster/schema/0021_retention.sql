-- The first month of history and step log that is kept; no row where none was dropped.
create table retention (
    only_row boolean primary key default true check (only_row),
    kept_from date not null check (extract(day from kept_from) = 1)
);
