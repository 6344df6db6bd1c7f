//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod audit;
mod bots;
mod catalogue;
mod cluster;
mod conformance;
mod content;
mod doctor;
mod endpoints;
mod gate;
mod imports;
mod isolation;
mod keys;
mod migrations;
mod models;
mod operators;
mod probe;
mod sessions;
mod support;
mod tenants;
mod texts;
mod tidy;
mod tokens;
mod work;
mod work_races;
