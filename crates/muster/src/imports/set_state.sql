-- Moves an import to the state in which it is decided, and notes when. Its file is not needed any more.
update imports
set state = $3,
    file_encrypted = null,
    committed_at = case when $3 = 'committed' then now() else committed_at end,
    undone_at = case when $3 = 'undone' then now() else undone_at end
where tenant_id = $1 and id = $2
