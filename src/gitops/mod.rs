//! What we say to Argo CD and believe of it (`docs/argocd.md`): whether a commit may be offered (`preflight`), and whether
//! one read of an Application proves the live state to be that commit (`gate`); both pure. `drive` waits at the gate of a real
//! Argo CD.

pub mod allowed;
pub mod application;
pub mod before;
pub mod drive;
pub mod failure;
pub mod filter;
pub mod gate;
pub mod generator;
pub mod install;
pub mod kinds;
pub mod object;
pub mod policy;
pub mod preflight;
pub mod reason;
pub mod shown;
pub mod tracking;
pub mod version;
pub mod waiting;
pub mod wrap;
