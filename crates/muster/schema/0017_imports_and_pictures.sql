-- Imports that can be read again otherwise, and pictures that Muster keeps itself.

alter table imports
    -- The file, sealed, while nothing is decided: it can hold secrets. None when it is too long to be kept.
    add column file_encrypted bytea,
    -- What is wrong with the file as a whole: [{pointer, code, detail}].
    add column faults jsonb not null default '[]';

-- A picture is kept once, however many items of content show it, and no longer than one does: see 46_pictures.sql.
create table pictures (
    tenant_id bigint not null references tenants (id),
    sha256 bytea not null check (sha256 = sha256(bytes)),
    media_type text not null check (media_type in ('image/jpeg', 'image/png', 'image/webp')),
    bytes bytea not null check (length(bytes) between 1 and 8388608),
    created_at timestamptz not null default now(),
    created_by text check (length(created_by) <= 100),
    primary key (tenant_id, sha256)
);

-- The kept picture that the address of an item of content means: there is one.
alter table model_content
    add column picture bytea generated always as (
        case when image_url ~ '^/v1/pictures/[0-9a-f]{64}$' then decode(substring(image_url from 14), 'hex') end) stored,
    add foreign key (tenant_id, picture) references pictures (tenant_id, sha256);
create index model_content_picture on model_content (tenant_id, picture) where picture is not null;
