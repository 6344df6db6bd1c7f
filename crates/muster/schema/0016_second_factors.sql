-- What a person presents beside their password to enter a tenant: a code that their device makes from a secret. It belongs to
-- the membership, so that no tenant can take it from another one.

create table second_factors (
    tenant_id bigint not null,
    operator_id bigint not null,
    secret_encrypted bytea not null,
    -- The period of half a minute whose code was accepted last: no code is accepted twice.
    last_step bigint not null,
    -- Wrong codes since the last right one, and when the last of them was given.
    failures integer not null default 0,
    failed_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (tenant_id, operator_id),
    foreign key (tenant_id, operator_id) references memberships (tenant_id, operator_id) on delete cascade
);
