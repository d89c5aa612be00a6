//! All integration tests in one binary.

mod browser;
mod sandbox;
mod start;
mod up;
