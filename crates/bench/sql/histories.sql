-- How many rows of history there are.
select count(*) from account_state_history
