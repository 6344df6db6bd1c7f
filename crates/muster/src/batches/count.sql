-- Adds to what a batch has done.
update batches set moved = moved + $3, refused = refused + $4 where tenant_id = $1 and id = $2
