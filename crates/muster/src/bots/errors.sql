-- The attempts of a bot in the last day that were not completed, the newest first.
select l.started_at as "at!", l.account_id as "account_id!: muster_wire::AccountId", a.username as "username!",
    l.step_name as "step!: muster_wire::Step", l.status as "status!: muster_wire::accounts::AttemptStatus",
    l.error_message as error
from warmup_step_logs l
join accounts a on a.tenant_id = l.tenant_id and a.id = l.account_id
where l.tenant_id = $1 and l.status <> 'completed' and l.started_at >= now() - interval '1 day' and l.bot_id = $2
order by l.started_at desc
limit $3
