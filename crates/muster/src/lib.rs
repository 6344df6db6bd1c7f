//! t

pub mod imports;
