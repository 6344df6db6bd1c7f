//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod accounts;
mod cluster;
mod content;
mod endpoints;
mod gate;
mod imports;
mod lifecycle;
mod lives;
mod models;
mod probe;
mod reviews;
mod support;
mod texts;
