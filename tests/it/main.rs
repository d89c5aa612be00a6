//! All integration tests in one binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod browser;
mod course;
#[path = "../fake/github/mod.rs"]
mod fake_github;
mod fake_rules;
mod git_http;
mod gitea;
mod github;
mod grade;
mod gradebook;
mod hostile;
mod http;
mod kept;
mod live;
mod planes;
mod process;
mod prometheus;
mod sandbox;
mod scenario;
mod serve;
mod stack;
mod start;
mod storm;
mod until;
mod up;
mod workspace;
