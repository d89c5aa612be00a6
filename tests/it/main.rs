//! All integration tests in one binary.

mod browser;
mod course;
mod sandbox;
mod start;
mod up;
