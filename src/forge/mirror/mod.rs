//! One bare repository per workspace, into which heads are fetched from upstream by commit.
//!
//! The mirror is a cache: it may be deleted at any time.

use std::path::{Path, PathBuf};

use http::HeaderValue;

use super::http::Transport;
use super::http::base::Base;
use super::pull::PullNumber;
use super::remote::{Need, Remote, RemoteError, git, has};
use crate::submission::bare::open_or_make;
use crate::submission::sha::CommitId;

/// Where the newest fetched base stands in the mirror.
pub const BASE: &str = "refs/gradus/base";

/// The mirror of a workspace.
#[derive(Debug)]
pub struct Mirror {
    remote: Remote,
    path: PathBuf,
    /// One fetch at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Mirror {
    /// Of the repository at this address, as in `https://git.example.org/acme/cnpe.git`, kept at this path. The
    /// transport's limit on an answer is the limit on what one fetch brings.
    pub fn new(transport: Transport, repository: Base, path: PathBuf) -> Self {
        Self { remote: Remote::new(transport, repository, Need::Read), path, turn: tokio::sync::Mutex::new(()) }
    }

    /// Brings head and base of a pull request into the mirror, as far as they are not there yet. Where the mirror is.
    pub async fn fetch(
        &self,
        number: PullNumber,
        head: &CommitId,
        base: &CommitId,
        authorization: Option<&HeaderValue>,
    ) -> Result<PathBuf, RemoteError> {
        let _turn = self.turn.lock().await;
        let (both, pull) = ([head.clone(), base.clone()], pull_reference(number));
        let seen = {
            let (wanted, pull) = (both.clone(), pull.clone());
            git(&self.path, move |path| Ok(look(path, &wanted, &pull)?)).await?
        };
        self.remote.fetch(&self.path, &seen.missing, &seen.known, authorization).await?;
        git(&self.path, move |path| Ok(note(path, &both, &pull)?)).await?;
        Ok(self.path.clone())
    }
}

/// Where the newest fetched head of a pull request stands in the mirror.
fn pull_reference(number: PullNumber) -> String {
    format!("refs/pull/{number}/head")
}

/// What is to be asked for, and what may be left out because it is here.
struct Seen {
    missing: Vec<CommitId>,
    known: Vec<CommitId>,
}

fn look(path: &Path, wanted: &[CommitId], pull: &str) -> Result<Seen, git2::Error> {
    let repository = open_or_make(path)?;
    let missing = |id: &&CommitId| !has(&repository, id);
    let known = |name: &str| repository.refname_to_id(name).ok().map(CommitId::from);
    Ok(Seen {
        missing: wanted.iter().filter(missing).cloned().collect(),
        known: [BASE, pull].into_iter().filter_map(known).collect(),
    })
}

/// Notes what is here now.
fn note(path: &Path, [head, base]: &[CommitId; 2], pull: &str) -> Result<(), git2::Error> {
    let repository = open_or_make(path)?;
    for (name, id) in [(BASE, base), (pull, head)] {
        let id = id.as_str().parse()?;
        if repository.refname_to_id(name).ok() != Some(id) {
            repository.reference(name, id, true, "fetched")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
