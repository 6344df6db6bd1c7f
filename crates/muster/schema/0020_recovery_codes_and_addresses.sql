-- What nobody could store by API or import, the database refuses too: addresses that are of no page, picture or person.
alter table model_content add constraint model_content_image_url
    check (image_url ~ '^https?://[^/?#:[:space:]][^[:space:]]*$' or image_url ~ '^/v1/pictures/[0-9a-f]{64}$');
alter table accounts add constraint accounts_profile_picture_url
    check (profile_picture_url ~ '^https?://[^/?#:[:space:]][^[:space:]]*$');

-- What lets a person in who lost their device: codes that are right once, and are forgotten when they were used. They are gone with
-- the second factor.
create table recovery_codes (
    tenant_id bigint not null,
    operator_id bigint not null,
    -- The SHA-256 of a hundred random bits: as with tokens, there is nothing to gain from guessing that a slower hash would hinder.
    code_hash bytea not null check (length(code_hash) = 32),
    created_at timestamptz not null default now(),
    primary key (tenant_id, operator_id, code_hash),
    foreign key (tenant_id, operator_id) references second_factors (tenant_id, operator_id) on delete cascade
);
