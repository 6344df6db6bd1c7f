-- Folds what has changed since the last time into the counters of proxies.
select fold_proxy_counts($1) as "folded!"
