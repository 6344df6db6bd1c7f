-- Gives the kind and state of an import, and keeps others from changing it until the transaction ends.
select kind as "kind: muster_wire::imports::ImportKind", state as "state: muster_wire::imports::ImportState", new_rows,
    changed_rows, rejected_rows
from imports
where tenant_id = $1 and id = $2
for update
