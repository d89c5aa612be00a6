//! Forges: the port and its dialects.

pub mod pull;
