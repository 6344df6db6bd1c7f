-- Folds what has changed since the last time into the counters of accounts.
select fold_account_counts($1) as "folded!"
