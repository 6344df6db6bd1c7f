//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod audit;
mod bots;
mod cluster;
mod content;
mod endpoints;
mod gate;
mod imports;
mod keys;
mod models;
mod operators;
mod probe;
mod sessions;
mod support;
mod tenants;
mod texts;
mod tokens;
