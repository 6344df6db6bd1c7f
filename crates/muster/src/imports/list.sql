-- Gives the imports of a kind and state (null: any), the newest first.
select id as "id: muster_wire::ImportId", kind as "kind: muster_wire::imports::ImportKind",
    state as "state: muster_wire::imports::ImportState", file_name, detected, notes,
    faults as "faults: sqlx::types::Json<Vec<muster_wire::Fault>>", file_encrypted is not null as "file_kept!", new_rows,
    changed_rows, same_rows, rejected_rows, created_at, committed_at, undone_at
from imports
where tenant_id = $1 and ($2::text is null or kind = $2) and ($3::text is null or state = $3) and ($4::bigint is null or id < $4)
order by id desc
limit $5
