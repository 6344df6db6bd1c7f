//! Proxies: their data, and that tests of them decide about work.
