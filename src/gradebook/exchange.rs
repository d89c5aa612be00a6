//! The gradebook's files and a repository that others write to as well: theirs come here, ours go there.
//!
//! The files in the directory are what counts here; a bare clone beside them holds what others have. `PUSHED` is the
//! newest commit of the branch whose files are all in ours. One round: fetch; under the lock, join files and write what
//! is new for us; make one commit of what is new for them on top of theirs; push it. Only the next fetch tells whether a
//! push stands (a local repository takes the later of two without a word), so a round ends when nothing is left to say.
//! After a crash anywhere in between the same files are joined again, and a line that is there is not added twice. When
//! `PUSHED` is no ancestor of what is fetched, somebody rewrote the branch: what we have is said again, and nothing of
//! theirs is touched by force.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, Signature, Tree};

use super::decision::{self, is_decision};
use super::files::{self, Lock};
use super::origin::{Origin, OriginError};
use super::union::{self, Side};
use crate::course::id::Learner;
use crate::forge::remote::{Pushed, RemoteError};
use crate::submission::bare::open_or_make;

/// The bare clone in the gradebook's directory.
const CLONE: &str = "repository.git";

const PUSHED: &str = "refs/gradus/pushed";

/// Rounds before others get a chance: each one that fails means that somebody else's did not.
const ROUNDS: u32 = 20;

/// What is not shared could not be.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The server cannot be reached, or says no.
    #[error("cannot exchange the gradebook with {address}: {source}")]
    Server {
        /// Where it is.
        address: String,
        /// What it says.
        source: RemoteError,
    },
    /// The repository on this machine, or our clone, cannot be used.
    #[error("cannot exchange the gradebook with {address}: {}", .source.message())]
    Git {
        /// Where it is.
        address: String,
        /// What Git says.
        source: git2::Error,
    },
    /// The server does not take what we push.
    #[error("{address} does not take the gradebook: {why}; it must be a branch that may be pushed to")]
    Refused {
        /// Where it is.
        address: String,
        /// What the server says.
        why: String,
    },
    /// Others were faster each time.
    #[error("{address} is pushed to by others all the time; trying again later")]
    Contended {
        /// Where it is.
        address: String,
    },
    /// About a file on this machine.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What an exchange did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// Files that others changed.
    pub received: usize,
    /// Lines and decisions that are there now and were not.
    pub sent: usize,
    /// Decisions that we and others changed at once: theirs count.
    pub conflicts: Vec<String>,
}

/// A gradebook's directory and the repository that it is shared through.
#[derive(Debug)]
pub(super) struct Exchange {
    dir: PathBuf,
    origin: Origin,
}

type Result<T> = std::result::Result<T, ExchangeError>;

impl Exchange {
    /// Of this directory, which exists.
    pub fn new(dir: PathBuf, origin: Origin) -> Self {
        Self { dir, origin }
    }

    /// Brings both to the same state, or says why not; then everything is as before, or further.
    pub fn run(&self) -> Result<Exchanged> {
        let _turn = Lock::take(&self.dir.join(".exchange.lock")).map_err(|e| self.io(&self.dir, e))?;
        let repository = open_or_make(&self.dir.join(CLONE)).map_err(|e| self.git(e))?;
        let reach = self.origin.reach().map_err(|e| self.io(&self.dir, e))?;
        let mut done = Exchanged::default();
        // The tip that the server took nothing on top of.
        let mut refused = None;
        for round in 0..ROUNDS {
            let tip = reach.fetch(&repository).map_err(|e| self.failed(e))?;
            let joined = self.join(&repository, tip)?;
            done.received += joined.received;
            done.conflicts.extend(joined.conflicts);
            let Some(offer) = joined.offer else { return Ok(done) };
            match reach.push(&repository, tip, offer).map_err(|e| self.failed(e))? {
                Pushed::Taken => done.sent = done.sent.max(joined.new),
                Pushed::Behind => {}
                // A server may say no because another push came first or is under way; when none did, it means us.
                Pushed::Refused(why) if refused == Some(tip) => {
                    return Err(ExchangeError::Refused { address: self.origin.address().to_owned(), why });
                }
                Pushed::Refused(_) => refused = Some(tip),
            }
            std::thread::sleep(pause(round));
        }
        Err(ExchangeError::Contended { address: self.origin.address().to_owned() })
    }

    /// Lines and decisions here that are not known to be there.
    pub fn waiting(&self) -> Result<usize> {
        let repository = open_or_make(&self.dir.join(CLONE)).map_err(|e| self.git(e))?;
        let pushed = repository.refname_to_id(PUSHED).ok();
        let known = Files::of(&repository, pushed).map_err(|e| self.git(e))?;
        let mut waiting = 0;
        for name in self.names()? {
            let path = self.dir.join(&name);
            waiting += match known.get(&name).map_err(|e| self.git(e))? {
                // Lines are only added: the same length is the same file.
                Some(blob) if is_lines(&name) && std::fs::metadata(&path).is_ok_and(|m| m.len() == blob.length) => 0,
                blob => {
                    let before = blob.map(|blob| blob.bytes(&repository)).transpose().map_err(|e| self.git(e))?;
                    let ours = self.ours(&name)?.unwrap_or_default();
                    news(&name, before.as_deref(), &ours)
                }
            };
        }
        Ok(waiting)
    }

    /// Joins what the branch holds with what is here. Writes what is new here; what is new there is the offer.
    fn join(&self, repository: &Repository, tip: Option<Oid>) -> Result<Joined> {
        let git = |error| self.git(error);
        let _lock = Lock::take(&self.dir.join(files::LOCK)).map_err(|e| self.io(&self.dir, e))?;
        let pushed = repository.refname_to_id(PUSHED).ok();
        let base = Files::of(repository, base(repository, pushed, tip).map_err(git)?).map_err(git)?;
        let theirs = Files::of(repository, tip).map_err(git)?;
        let (mut joined, mut changes) = (Joined::default(), TreeUpdateBuilder::new());
        let mut learners = 0;
        let names: BTreeSet<String> = self.names()?.into_iter().chain(theirs.names()).chain(base.names()).collect();
        for name in names {
            let (before, now) = (base.get(&name).map_err(git)?, theirs.get(&name).map_err(git)?);
            let path = self.dir.join(&name);
            let same = before.as_ref().map(|blob| blob.id) == now.as_ref().map(|blob| blob.id);
            let length = std::fs::metadata(&path).map(|file| file.len()).ok();
            if same && is_lines(&name) && length == now.as_ref().map(|blob| blob.length) {
                continue;
            }
            let read = |blob: Option<Blob>| blob.map(|blob| blob.bytes(repository)).transpose().map_err(git);
            let (before, now, ours) = (read(before)?, read(now)?, self.ours(&name)?);
            let result = self.one(&name, before.as_deref(), ours.as_deref(), now.as_deref(), &mut joined.conflicts);
            if result != ours {
                joined.received += 1;
                match &result {
                    Some(bytes) => files::replace(&path, bytes).map_err(|e| self.io(&path, e))?,
                    None => std::fs::remove_file(&path).map_err(|e| self.io(&path, e))?,
                }
            }
            if let Some(bytes) = result.filter(|result| Some(result.as_slice()) != now.as_deref()) {
                joined.new += news(&name, now.as_deref(), &bytes);
                learners += usize::from(is_lines(&name));
                changes.upsert(name, repository.blob(&bytes).map_err(git)?, FileMode::Blob);
            }
        }
        if joined.new > 0 {
            let offer = self.commit(repository, tip, &mut changes, joined.new, learners).map_err(git)?;
            joined.offer = Some(offer);
        }
        // Last: everything of theirs is on our disk now.
        if let Some(tip) = tip {
            repository.reference(PUSHED, tip, true, "joined").map_err(git)?;
        }
        Ok(joined)
    }

    /// What a file is to be; none when it is to go.
    fn one(
        &self,
        name: &str,
        base: Option<&[u8]>,
        ours: Option<&[u8]>,
        theirs: Option<&[u8]>,
        conflicts: &mut Vec<String>,
    ) -> Option<Vec<u8>> {
        if is_lines(name) {
            let merged = union::lines(base.unwrap_or_default(), ours.unwrap_or_default(), theirs.unwrap_or_default());
            return (!merged.is_empty()).then_some(merged);
        }
        match union::whole(base, ours, theirs) {
            Side::Ours => ours,
            Side::Theirs { conflict } => {
                if conflict {
                    tracing::warn!(
                        file = name,
                        "changed here and in the gradebook's repository at once: theirs counts"
                    );
                    conflicts.push(name.to_owned());
                }
                theirs
            }
        }
        .map(<[u8]>::to_vec)
    }

    fn commit(
        &self,
        repository: &Repository,
        tip: Option<Oid>,
        changes: &mut TreeUpdateBuilder,
        new: usize,
        learners: usize,
    ) -> std::result::Result<Oid, git2::Error> {
        let parent = tip.map(|tip| repository.find_commit(tip)).transpose()?;
        let before = match &parent {
            Some(parent) => parent.tree()?,
            None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
        };
        let tree = repository.find_tree(changes.create_updated(repository, &before)?)?;
        let author = Signature::now("gradus", "gradus@localhost")?;
        let message = format!("{new} new, of {learners} learners");
        repository.commit(None, &author, &author, &message, &tree, parent.iter().collect::<Vec<_>>().as_slice())
    }

    /// Names of our files as they are shared.
    fn names(&self) -> Result<Vec<String>> {
        let mut names = decision::names(&self.dir).map_err(|e| self.io(&self.dir, e))?;
        for entry in std::fs::read_dir(&self.dir).map_err(|e| self.io(&self.dir, e))? {
            let entry = entry.map_err(|e| self.io(&self.dir, e))?;
            names.extend(entry.file_name().into_string().ok().filter(|name| is_lines(name)));
        }
        Ok(names)
    }

    /// A file of ours, without a half line at its end.
    fn ours(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.dir.join(name);
        let read = if is_lines(name) { files::read_lines(&path) } else { std::fs::read(&path) };
        match read {
            Ok(bytes) if bytes.is_empty() && is_lines(name) => Ok(None),
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io(&path, error)),
        }
    }

    fn failed(&self, error: OriginError) -> ExchangeError {
        match error {
            OriginError::Git(source) => self.git(source),
            OriginError::Server(source) => ExchangeError::Server { address: self.origin.address().to_owned(), source },
        }
    }

    fn git(&self, source: git2::Error) -> ExchangeError {
        ExchangeError::Git { address: self.origin.address().to_owned(), source }
    }

    fn io(&self, path: &Path, source: std::io::Error) -> ExchangeError {
        ExchangeError::Io { path: path.to_owned(), source }
    }
}

#[derive(Debug, Default)]
struct Joined {
    received: usize,
    new: usize,
    conflicts: Vec<String>,
    offer: Option<Oid>,
}

/// The commit that both sides know: with nothing in common there is none.
fn base(
    repository: &Repository,
    pushed: Option<Oid>,
    tip: Option<Oid>,
) -> std::result::Result<Option<Oid>, git2::Error> {
    let (Some(pushed), Some(tip)) = (pushed, tip) else { return Ok(None) };
    match repository.merge_base(pushed, tip) {
        Ok(base) => Ok(Some(base)),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lines or decisions in `after` that `before` does not have.
fn news(name: &str, before: Option<&[u8]>, after: &[u8]) -> usize {
    if is_lines(name) {
        union::new_lines(before.unwrap_or_default(), after)
    } else {
        usize::from(before != Some(after))
    }
}

fn is_lines(name: &str) -> bool {
    name.strip_suffix(".jsonl").is_some_and(|id| id.parse::<Learner>().is_ok())
}

/// Longer with each round, and not the same for two.
fn pause(round: u32) -> Duration {
    let jitter = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    Duration::from_millis(u64::from(jitter % (10 + 20 * round)))
}

/// A regular file: no link, no directory, no submodule.
fn is_file(entry: &git2::TreeEntry<'_>) -> bool {
    [FileMode::Blob, FileMode::BlobExecutable].map(i32::from).contains(&entry.filemode())
}

/// The shared files of a commit. Links and other kinds of entries are not ours and are not written to the disk.
struct Files<'r> {
    repository: &'r Repository,
    root: Option<Tree<'r>>,
    decisions: Option<Tree<'r>>,
}

struct Blob {
    id: Oid,
    length: u64,
}

impl Blob {
    fn bytes(&self, repository: &Repository) -> std::result::Result<Vec<u8>, git2::Error> {
        Ok(repository.find_blob(self.id)?.content().to_vec())
    }
}

impl<'r> Files<'r> {
    fn of(repository: &'r Repository, commit: Option<Oid>) -> std::result::Result<Self, git2::Error> {
        let Some(commit) = commit else { return Ok(Self { repository, root: None, decisions: None }) };
        let root = repository.find_commit(commit)?.tree()?;
        let decisions = match root.get_name(decision::DIR).filter(|entry| entry.kind() == Some(ObjectType::Tree)) {
            Some(entry) => Some(repository.find_tree(entry.id())?),
            None => None,
        };
        Ok(Self { repository, root: Some(root), decisions })
    }

    fn names(&self) -> Vec<String> {
        let plain = |tree: &Tree<'_>| -> Vec<String> {
            let files = tree.iter().filter(is_file).filter_map(|entry| entry.name().ok().map(str::to_owned));
            files.filter(|name| !name.contains(['/', '\\', '\0'])).collect()
        };
        let lines = self.root.iter().flat_map(plain).filter(|name| is_lines(name));
        let decisions = self.decisions.iter().flat_map(plain).filter(|name| is_decision(name));
        lines.chain(decisions.map(|name| format!("{}/{name}", decision::DIR))).collect()
    }

    fn get(&self, name: &str) -> std::result::Result<Option<Blob>, git2::Error> {
        let entry = match name.strip_prefix(decision::DIR).and_then(|name| name.strip_prefix('/')) {
            Some(name) => self.decisions.as_ref().and_then(|tree| tree.get_name(name)),
            None => self.root.as_ref().and_then(|tree| tree.get_name(name)),
        };
        let Some(entry) = entry.filter(is_file) else { return Ok(None) };
        let (length, _) = self.repository.odb()?.read_header(entry.id())?;
        Ok(Some(Blob { id: entry.id(), length: length as u64 }))
    }
}

#[cfg(test)]
mod tests;
