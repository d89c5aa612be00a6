//! Why there is no control plane.

use std::io;
use std::path::{Path, PathBuf};

use crate::stack::crew::Trouble;
use crate::stack::probe::Unwell;

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum PlanesError {
    /// Another owner is there.
    #[error("the control planes in {} are another process's: end that, or choose another directory", .0.display())]
    Busy(PathBuf),
    /// We would have to delete somebody's files.
    #[error("{} holds files that are not of control planes: choose another directory", .0.display())]
    NotOurs(PathBuf),
    /// All that may run are in use.
    #[error(
        "all {limit} control planes that may run at once are in use: wait until one is not, or raise the limit where there is \
         memory for more"
    )]
    Full {
        /// How many may run.
        limit: usize,
    },
    /// etcd does not run.
    #[error("the etcd of the control planes does not start")]
    Etcd(#[source] Trouble),
    /// An API server, its controllers, its scheduler or its simulated node do not run.
    #[error("the control plane {what} does not start")]
    Start {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: Trouble,
    },
    /// Its pods would have nowhere to be.
    #[error("the API server of a control plane has no node and takes none; it is tried again when it is lent again")]
    Node(#[source] Unwell),
    /// etcd does not forget. Nobody gets what is left: it is deleted by the next owner.
    #[error("cannot delete what etcd has below {prefix}; it is tried again at the next start")]
    Erase {
        /// Where in etcd.
        prefix: String,
        /// Why.
        #[source]
        source: Unwell,
    },
    /// A file.
    #[error("cannot {what} in {}: look whether the disk is full and the directory is yours", dir.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No certificates.
    #[error("cannot make certificates")]
    Keys(#[from] rcgen::Error),
    /// They end.
    #[error("the control planes are ended")]
    Ended,
}

impl PlanesError {
    pub(super) fn io(what: &'static str, dir: &Path, source: io::Error) -> Self {
        Self::Io { what, dir: dir.to_owned(), source }
    }
}
