-- The ids of the accounts that match a filter, in their order, after a key.
select id as "id!" from matching_accounts($1, $2, null) where $3::bigint is null or id > $3 order by id limit $4
