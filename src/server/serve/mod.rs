//! The daemon for forges that are not ours: `gradus serve`.

pub mod argocd;
pub mod connect;
pub mod courses;
mod crowd;
pub mod daemon;
pub mod data;
pub mod doctor;
pub mod engine;
pub mod generator;
pub mod health;
pub mod metrics;
pub mod plan;
pub mod port;
mod scout;
