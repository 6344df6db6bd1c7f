//! t
pub mod cluster;
