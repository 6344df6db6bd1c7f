-- How a person comes to a password without anybody else knowing it: a link that works once and for a day, stored as the
-- SHA-256 of its token. It goes with the membership that it was given for.

create table password_links (
    tenant_id bigint not null,
    token_hash bytea not null check (length(token_hash) = 32),
    operator_id bigint not null,
    -- Who gave it; null where the server did.
    created_by bigint,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    primary key (tenant_id, token_hash),
    foreign key (tenant_id, operator_id) references memberships (tenant_id, operator_id) on delete cascade
);
create index password_links_operator on password_links (tenant_id, operator_id);
