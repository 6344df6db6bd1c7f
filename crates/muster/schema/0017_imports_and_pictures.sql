-- Imports that can be read again otherwise.

alter table imports
    -- The file, sealed, while nothing is decided: it can hold secrets. None when it is too long to be kept.
    add column file_encrypted bytea,
    -- What is wrong with the file as a whole: [{pointer, code, detail}].
    add column faults jsonb not null default '[]';
