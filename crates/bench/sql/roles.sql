-- The roles that Muster is migrated and served with, as docs/operate.md has them made.
create role muster_owner login;
create role muster_app login;
create role muster_scheduler login;
