//! Imports and exports: files of rows, in and out.

pub mod read;
