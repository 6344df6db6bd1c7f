-- Gives an import.
select id as "id: muster_wire::ImportId", kind as "kind: muster_wire::imports::ImportKind",
    state as "state: muster_wire::imports::ImportState", file_name, detected, notes,
    faults as "faults: sqlx::types::Json<Vec<muster_wire::Fault>>", file_encrypted is not null as "file_kept!", new_rows,
    changed_rows, same_rows, rejected_rows, created_at, committed_at, undone_at
from imports
where tenant_id = $1 and id = $2
