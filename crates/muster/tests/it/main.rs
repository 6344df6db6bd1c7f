//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod gate;
mod support;
mod work;
mod work_holds;
mod work_races;
mod work_secrets;
mod work_waits;
