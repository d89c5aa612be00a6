//! From hints to reviews: queue, observe, decide, act, post.
//!
//! [`decide`] is pure and sees everything; [`run`] looks, asks it, and does the one step it says, again and again until
//! the pull request is at rest. The queue is the store's ([`crate::store::queue`]), the forge is behind its port
//! ([`crate::forge::Forge`]), grading behind [`grader::Grader`].

mod alert;
pub mod allowance;
pub mod answer;
pub mod cancel;
pub mod command;
pub mod courses;
pub mod decide;
mod earlier;
pub mod examine;
pub mod follow;
pub mod grader;
mod judge;
pub mod live;
mod look;
pub mod once;
pub mod policy;
pub mod probe;
pub mod pulse;
pub mod quarantine;
mod recall;
pub mod record;
pub mod regrade;
mod reply;
mod ruling;
pub mod run;
mod scene;
pub mod sweep;
#[cfg(test)]
mod testing;
pub mod turns;
