-- How many accounts and proxies there are.
select (select count(*) from accounts), (select count(*) from proxies)
