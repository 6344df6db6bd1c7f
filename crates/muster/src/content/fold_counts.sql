-- Folds what has changed since the last time into the counters of pools.
select fold_pool_counts($1) as "folded!"
