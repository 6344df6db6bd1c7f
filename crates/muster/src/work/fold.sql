-- Adds noted uses to the counters of the pools; gives how many items were touched.
select fold_content_uses($1) as "folded!"
