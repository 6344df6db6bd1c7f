//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod accounts;
mod gate;
mod lifecycle;
mod reviews;
mod support;
