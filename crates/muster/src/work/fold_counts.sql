-- Folds the attempts that have ended since the last time into their counters.
select fold_attempt_counts($1) as "folded!"
