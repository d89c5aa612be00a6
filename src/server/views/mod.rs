//! From what is stored to what pages show: reads the store, the gradebook, the courses and the forks, fills the models.

pub mod course;
pub mod pull;
pub mod pulls;

use super::App;
use super::pages::model::{Frame, Nav, When};
use crate::store::time::Time;

/// A view could not be filled: our fault, told in the log.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// About the local forge.
    #[error(transparent)]
    Forge(#[from] crate::forge::local::LocalError),
    /// About the port.
    #[error(transparent)]
    Port(#[from] crate::forge::ForgeError),
    /// About the store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// About the gradebook.
    #[error(transparent)]
    Gradebook(#[from] crate::gradebook::GradebookError),
    /// About a fork's objects.
    #[error(transparent)]
    Read(#[from] crate::submission::ReadError),
    /// About a fork.
    #[error(transparent)]
    Git(#[from] git2::Error),
}

pub(super) fn frame(app: &App, title: impl Into<String>, nav: Nav) -> Frame {
    Frame { title: title.into(), learner: app.learner.to_string(), nav, events: None }
}

pub(super) fn when(time: Time) -> When {
    When { text: time.to_the_minute(), iso: time.rfc3339() }
}
