-- Moves an import to the state it has reached, and notes when.
update imports
set state = $3,
    committed_at = case when $3 = 'committed' then now() else committed_at end,
    undone_at = case when $3 = 'undone' then now() else undone_at end
where tenant_id = $1 and id = $2
