-- Whether graphile_worker has a job left: it deletes what is done.
select exists (select from graphile_worker._private_jobs)
