//! The fake GitHub keeps GitHub's rules: each is asked over its HTTP face, as a client would.

mod auth;
mod client;
mod commits;
mod conversation;
mod described;
mod faults;
mod graphql;
mod hooks;
mod reading;
mod reviews;
