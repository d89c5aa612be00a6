//! The real parts as plain processes on this machine: an API server with its controllers, Argo CD and Gitea, for laptops
//! without containers, for tests and for CI (`docs/stack.md`). Not on the way of a push: other rooms meet it as a
//! kubeconfig and addresses.
//!
//! `component` builds the programs, `plan` says as data which processes run with which flags, files and ports, `run`
//! starts and ends them, `state` remembers them for whoever comes later.

pub mod component;
pub(crate) mod crew;
pub(crate) mod disk;
pub mod down;
pub(crate) mod gateway;
pub(crate) mod keys;
pub(crate) mod lock;
pub mod name;
pub(crate) mod node;
pub mod part;
pub mod plan;
pub(crate) mod ports;
pub(crate) mod probe;
pub(crate) mod process;
pub mod programs;
pub mod run;
pub mod state;
pub mod status;

pub use crew::{Stop, Trouble};
pub use down::{DownError, Ended, down};
pub use name::Name;
pub use part::{Optional, Part};
pub use plan::{Endpoints, Spec};
pub use programs::{Missing, Programs};
pub use run::{Event, Stack, UpError};
pub use state::State;
pub use status::{Health, Status, status};
