//! All integration tests in one binary.

mod sandbox;
mod start;
mod up;
