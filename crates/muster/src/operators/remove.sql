-- Ends a membership; its sessions, tokens and links go with it.
delete from memberships where tenant_id = $1 and operator_id = $2
