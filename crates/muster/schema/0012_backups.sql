-- What became of every backup and every drill: the server's, not a tenant's. Only the superuser, who makes backups, writes it.
create table backup_runs (
    id bigint generated always as identity primary key,
    event text not null check (event in ('full', 'incremental', 'drill')),
    started_at timestamptz not null,
    ended_at timestamptz not null,
    good boolean not null,
    -- The backup that was made or restored, by pgBackRest's name.
    label text,
    -- What a backup takes in the repository; what a drill restored.
    bytes bigint check (bytes >= 0),
    -- When the last transaction that the restored database had was committed, and how long it took until it could serve.
    recovery_point timestamptz,
    recovery_ms bigint check (recovery_ms >= 0),
    -- Why it is not good, each fault for itself.
    faults text[] not null default '{}',
    check (ended_at >= started_at),
    check (good = (faults = '{}'))
);
create index backup_runs_last on backup_runs (event, started_at desc);
