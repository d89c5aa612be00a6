//! One go without a daemon, as in GitHub Actions.

pub mod event;
