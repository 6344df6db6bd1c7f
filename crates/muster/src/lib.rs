//! Muster: a self-hosted control plane for organisations that run many Instagram accounts which they own or are
//! authorised to manage. See ARCHITECTURE.md for how a request becomes SQL and an answer.

pub mod access;
pub mod accounts;
pub mod actor;
pub mod app;
pub mod audit;
pub mod bots;
pub mod config;
pub mod db;
pub mod http;
pub mod limits;
pub mod problem;
pub mod reviews;
pub mod schema;
pub mod seal;
pub mod telemetry;
pub mod tenants;
pub mod tokens;
