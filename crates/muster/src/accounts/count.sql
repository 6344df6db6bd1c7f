-- How many accounts match a filter, exactly.
select count(*) as "count!" from matching_accounts($1, $2, null)
