-- The rows of each table that cannot be made again, in every tenant: those of before the time $2, those up to the time $1,
-- and whether rows of the table can be removed. Of what is dropped by age, only what is not before the time $3.
select what as "what!", removable as "removable!",
    count(*) filter (where made < $2) as "settled!", count(*) filter (where made <= $1) as "made!"
from (
    select 'accounts' as what, true as removable, created_at as made from accounts
    union all
    select 'warmup_step_logs', false, started_at from warmup_step_logs where started_at >= $3
    union all
    select 'account_state_history', false, created_at from account_state_history where created_at >= $3
    union all
    select 'proxies', true, created_at from proxies
    union all
    select 'model_content', true, created_at from model_content
    union all
    select 'text_pools', true, created_at from text_pools
) critical
group by what, removable
order by what
