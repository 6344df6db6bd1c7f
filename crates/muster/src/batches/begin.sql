-- Takes a batch to do a part of it; nothing where another transaction has it, or it is over.
update batches set state = 'running'
where tenant_id = $1 and id = any (array(
    select b.id from batches b
    where b.tenant_id = $1 and b.id = $2 and b.state in ('waiting', 'running')
    for update skip locked))
