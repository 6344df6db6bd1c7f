//! The scenarios, a module each.

pub mod drain;
pub mod single;
