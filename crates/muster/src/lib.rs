//! Muster: a self-hosted control plane for organisations that run many Instagram accounts which they own or are
//! authorised to manage. See ARCHITECTURE.md for how a request becomes SQL and an answer.

pub mod access;
pub mod accounts;
pub mod actor;
pub mod app;
pub mod audit;
pub mod bots;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod console;
pub mod content;
pub mod db;
pub mod demo;
pub mod doctor;
pub mod http;
pub mod imports;
pub mod keys;
pub mod limits;
pub mod models;
pub mod operators;
pub mod problem;
pub mod proxies;
pub mod reviews;
pub mod schema;
pub mod seal;
pub mod server;
pub mod sessions;
pub mod telemetry;
pub mod tenants;
pub mod texts;
pub mod tick;
pub mod today;
pub mod token;
pub mod tokens;
pub mod work;
