-- Notes for waited.sql when the first step of each account is ready.
create table bench.scheduled as select account_id, run_at from work_queue
