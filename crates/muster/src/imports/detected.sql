-- Gives what the file of an import was found to be.
select detected from imports where tenant_id = $1 and id = $2
