-- Gives how the file of an import was read, and the file where it is kept.
select detected, options, file_encrypted from imports where tenant_id = $1 and id = $2
