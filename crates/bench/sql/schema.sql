-- What the benchmark adds to a database is in a schema of its own, and holds no data.
create schema bench;
grant usage on schema bench to muster_app;
