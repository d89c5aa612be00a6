//! Gradus: courseware that lives in Git.
//!
//! Rooms, in the order in which a push passes through them. A later room never calls an earlier one;
//! they talk in plain values (`Submission`, `Report`, `Review`, `Verdict`). See `ARCHITECTURE.md`.

pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod course;
pub mod environment;
pub mod forge;
pub mod gitops;
pub mod grade;
pub mod gradebook;
pub mod reconcile;
pub mod review;
pub mod sandbox;
pub mod server;
pub mod stack;
pub mod store;
pub mod submission;
