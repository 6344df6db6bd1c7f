//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod assign;
mod cluster;
mod content;
mod endpoints;
mod gate;
mod imports;
mod models;
mod probe;
mod proxies;
mod support;
mod texts;
