-- A batch that takes back what another one did says which. Each account is taken back that is still as that one left it, so it does
-- no harm to ask twice.
alter table batches add column undoes bigint;
alter table batches add foreign key (tenant_id, undoes) references batches (tenant_id, id);
create index batches_undoes on batches (tenant_id, undoes) where undoes is not null;
