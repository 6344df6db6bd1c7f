-- Gives the rows of an import with this verdict (null: any), in the order of the file.
select line, verdict as "verdict: muster_wire::imports::RowVerdict", key, data, before, faults, raw_encrypted,
    password_encrypted is not null as "sets_password!", access_token_encrypted is not null as "sets_access_token!"
from import_rows
where tenant_id = $1 and import_id = $2 and ($3::text is null or verdict = $3) and ($4::bigint is null or line > $4)
order by line
limit $5
