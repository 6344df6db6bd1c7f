//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod cluster;
mod gate;
mod support;
//! Tests of the server through its public interface.

mod probe;
