//! One go without a daemon, as in GitHub Actions: the daemon's own queue, reconcile, dialect and grader on a store that
//! lives as long as the job. What earlier jobs answered is read back from the sealed markers of our own reviews.

pub mod environment;
pub mod event;
pub mod run;
