//! t
mod cluster;
