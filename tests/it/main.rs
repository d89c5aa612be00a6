//! All integration tests in one binary.

mod browser;
mod course;
mod grade;
mod hostile;
mod sandbox;
mod start;
mod up;
mod workspace;
