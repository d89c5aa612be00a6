//! What we say to Argo CD and believe of it. So far: what one read of an Application shows, and whether that proves the
//! live state to be a given commit (`docs/argocd.md`). Pure: no cluster, no clock.

pub mod application;
pub mod failure;
pub mod gate;
pub mod object;
pub mod reason;
pub mod tracking;
pub mod waiting;
