-- Writes down what became of a backup or a drill.
insert into backup_runs (event, started_at, ended_at, good, label, bytes, recovery_point, recovery_ms, faults)
values ($1, $2::timestamptz, greatest($3::timestamptz, $2::timestamptz), $4, $5, $6, $7, $8, $9)
