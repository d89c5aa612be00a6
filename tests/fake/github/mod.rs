//! A stateful fake of GitHub: state and rules, an HTTP face, faults, webhooks. See README.md.
//!
//! It is built to GitHub's documented REST API, not to our client: every request and every answer is held to GitHub's own
//! OpenAPI description, so that neither can drift.

#![allow(dead_code, unused_imports, reason = "a scenario uses what it needs; tests and benches include the whole")]
#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

pub mod clock;
pub mod faults;
pub mod git;
pub mod http;
pub mod hub;
pub mod key;
pub mod spec;
pub mod state;
pub mod webhooks;

pub use clock::Clock;
pub use hub::Hub;
pub use spec::recorded::recorded_payloads;
