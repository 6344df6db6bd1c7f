//! Proxies: the network egress that accounts use.

mod guard;
pub mod probe;
