//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod cluster;
mod content;
mod endpoints;
mod gate;
mod imports;
mod models;
mod probe;
mod support;
mod texts;
mod work;
mod work_races;
