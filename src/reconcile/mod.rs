//! From hints to reviews: queue, observe, decide, act, post.
