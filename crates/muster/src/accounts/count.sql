-- How many accounts match a filter among those that are walked, so many at most (null: all); and how many were walked.
select count(*) filter (where matches) as "count!", count(*) as "walked!"
from walk_accounts($1, $2, null, $3, $4, null, null, null, $5)
