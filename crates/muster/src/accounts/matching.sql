-- The ids of all accounts that match a filter; where ids are given, of those among them.
select id as "id!" from walk_accounts($1, $2, $4, $3, 'id', null, null, null, null) where matches order by id
