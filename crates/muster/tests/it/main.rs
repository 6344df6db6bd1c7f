//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod cluster;
mod gate;
mod imports;
mod probe;
mod content;
mod endpoints;
mod gate;
mod models;
mod support;
mod texts;
