//! The daemon for forges that are not ours: `gradus serve`.

pub mod metrics;
pub mod port;
