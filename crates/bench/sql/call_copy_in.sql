-- Reads a table of tenant $1 from a file: $2 the table, $3 the file.
call bench.copy_in($1, $2::text::regclass, $3)
