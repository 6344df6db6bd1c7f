-- Writes a table to a file: $1 the table, $2 the file.
call bench.copy_out($1::text::regclass, $2)
