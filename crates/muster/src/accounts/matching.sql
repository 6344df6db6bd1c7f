-- The ids of all accounts that match a filter; where ids are given, of those among them.
select id as "id!" from matching_accounts($1, $2, $3) order by id
