//! From hints to reviews: queue, observe, decide, act, post.

pub mod pulse;
