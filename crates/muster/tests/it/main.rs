//! Muster through its edges: a real PostgreSQL, real HTTP. One binary, one private cluster, a database per test.

mod accounts;
mod assign;
mod catalogue;
mod cli;
mod cluster;
mod conformance;
mod content;
mod doctor;
mod endpoints;
mod gate;
mod imports;
mod isolation;
mod kills;
mod lifecycle;
mod lives;
mod migrations;
mod models;
mod probe;
mod proxies;
mod reviews;
mod support;
mod texts;
mod tidy;
mod work;
mod work_races;
