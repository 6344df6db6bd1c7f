-- Counts corrected rows, which were rejected before, by what they are now.
update imports
set new_rows = new_rows + $3, changed_rows = changed_rows + $4, same_rows = same_rows + $5,
    rejected_rows = rejected_rows - $3 - $4 - $5
where tenant_id = $1 and id = $2
