//! Courses that are served: from a directory, or from a pinned commit of a repository; never from a head.

use std::path::Path;
use std::time::Duration;

use git2::{AutotagOption, FetchOptions, RemoteCallbacks, Repository};
use tokio::runtime::Builder;
use tokio::time::error::Elapsed;

use super::data::Data;
use crate::config::kinds::{CourseConfig, CourseSource, GitSource};
use crate::config::secret::Secret;
use crate::course::Course;
use crate::course::diagnostic::Diagnostic;
use crate::course::id::CourseId;
use crate::course::load;
use crate::course::locate::{LocateError, load_dir};
use crate::forge::http::base::{Base, InvalidBase, Plain};
use crate::forge::http::client::NoCertificates;
use crate::forge::http::{Limits, Transport};
use crate::forge::remote::{Need, Remote, RemoteError, basic};
use crate::submission::bare::open_or_make;
use crate::submission::deadline::{Deadline, Expired};
use crate::submission::read::ReadError;
use crate::submission::sha::{CommitId, TreeId};
use crate::submission::tree::Tree;

/// Longest time to fetch a course.
const FETCHING: Duration = Duration::from_secs(120);

/// Most bytes of a fetch: a course with its history.
const MAX_FETCH: usize = 512 << 20;

/// A course cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CourseError {
    /// Its directory is not there, or it is broken.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The course in the repository is broken.
    #[error("the course `{course}` at {commit} is broken: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Broken {
        /// Which course.
        course: CourseId,
        /// At which commit.
        commit: CommitId,
        /// What is wrong.
        problems: Vec<Diagnostic>,
    },
    /// The repository cannot be fetched from.
    #[error("cannot fetch {commit} of the course `{course}`: {source}")]
    Fetch {
        /// Which course.
        course: CourseId,
        /// Which commit.
        commit: CommitId,
        /// Why.
        source: FetchError,
    },
    /// Took too long.
    #[error("fetching the course `{0}` took longer than {limit} s", limit = FETCHING.as_secs())]
    Late(CourseId),
    /// The repository has no such commit.
    #[error("the repository of the course `{course}` has no commit {commit}: push it, or name another one")]
    NoCommit {
        /// Which course.
        course: CourseId,
        /// Which commit.
        commit: CommitId,
    },
    /// The commit cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is another course.
    #[error("the source of the course `{expected}` holds the course `{found}`: correct `id` or `source`")]
    Another {
        /// As configured.
        expected: CourseId,
        /// As its file says.
        found: CourseId,
    },
    /// It is not the revision that was pinned.
    #[error(
        "the course `{course}` has the revision {found} and not {expected}: check it, then write the new one as `revision`"
    )]
    Revision {
        /// Which course.
        course: CourseId,
        /// As configured.
        expected: TreeId,
        /// As it is.
        found: TreeId,
    },
    /// It is not finished.
    #[error("the course `{0}` says `draft: true`: write `allowDraft: true` to serve it all the same")]
    Draft(CourseId),
}

/// Why a commit is not here.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A repository on this machine cannot be used.
    #[error("{}", .0.message())]
    Git(#[from] git2::Error),
    /// A server does not give it.
    #[error(transparent)]
    Server(#[from] RemoteError),
    /// There is no such server.
    #[error(transparent)]
    Address(#[from] InvalidBase),
    /// No server can be told from another one.
    #[error(transparent)]
    Certificates(#[from] NoCertificates),
    /// There is no way to the network.
    #[error("cannot use the network: {0}")]
    Network(#[from] std::io::Error),
    /// Took too long.
    #[error(transparent)]
    Late(#[from] Elapsed),
}

/// Loads a course as configured. Blocks: on the network for a commit that is not here yet.
pub fn load(config: &CourseConfig, token: Option<&Secret>, data: &Data) -> Result<Course, CourseError> {
    let course = match &config.source {
        CourseSource::Dir(dir) => load_dir(dir)?.course,
        CourseSource::Git(source) => pinned(&config.id, source, token, &data.course(&config.id))?,
    };
    if course.id != config.id {
        return Err(CourseError::Another { expected: config.id.clone(), found: course.id });
    }
    if let Some(expected) = config.revision.as_ref().filter(|expected| **expected != course.revision) {
        return Err(CourseError::Revision { course: course.id, expected: expected.clone(), found: course.revision });
    }
    if course.draft && !config.allow_draft {
        return Err(CourseError::Draft(course.id));
    }
    Ok(course)
}

fn pinned(id: &CourseId, source: &GitSource, token: Option<&Secret>, cache: &Path) -> Result<Course, CourseError> {
    let commit = &source.commit;
    let failed = |source| CourseError::Fetch { course: id.clone(), commit: commit.clone(), source };
    let nowhere = || CourseError::NoCommit { course: id.clone(), commit: commit.clone() };
    let repository = open_or_make(cache).map_err(|error| failed(error.into()))?;
    let object = git2::Oid::from_str(commit.as_str()).map_err(|error| failed(error.into()))?;
    if repository.find_commit(object).is_err() {
        let deadline = Deadline::after(FETCHING);
        let fetched = match url::Url::parse(&source.address) {
            Ok(url) if url.scheme() != "file" => download(cache, source, token),
            _ => copy(&repository, source, deadline).map_err(FetchError::Git),
        };
        match fetched {
            Err(FetchError::Late(_)) => return Err(CourseError::Late(id.clone())),
            Err(_) if deadline.check() == Err(Expired) => return Err(CourseError::Late(id.clone())),
            Err(FetchError::Server(RemoteError::NoCommit(_))) => return Err(nowhere()),
            other => other.map_err(failed)?,
        }
    }
    if repository.find_commit(object).is_err() {
        return Err(nowhere());
    }
    // Git names content by its hash: what is found under this id is what was pinned.
    let tree = Tree::from_commit(&repository, commit)?;
    let (tree, name) = match source.path.rsplit('/').next() {
        Some(name) if !name.is_empty() => (tree.below(&source.path), name),
        _ => (tree, id.as_str()),
    };
    let broken = |problems| CourseError::Broken { course: id.clone(), commit: commit.clone(), problems };
    Ok(load::load(&tree, name).map_err(broken)?.course)
}

/// From a server. Waits for the network by itself, so that it works wherever blocking is allowed.
fn download(cache: &Path, source: &GitSource, token: Option<&Secret>) -> Result<(), FetchError> {
    let address = Base::parse(&source.address, Plain::Loopback)?;
    let limits = Limits { head: FETCHING, body: FETCHING, bytes: MAX_FETCH };
    let remote = Remote::new(Transport::sockets(limits)?, address, Need::Read);
    let authorization = token.and_then(|token| basic(token.expose()));
    let wanted = std::slice::from_ref(&source.commit);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let fetch = async { remote.fetch(cache, wanted, &[], authorization.as_ref()).await };
    Ok(runtime.block_on(async { tokio::time::timeout(FETCHING, fetch).await })??)
}

/// From a repository on this machine: by the commit's id, and where libgit2 gives out none by id, all branches and tags.
fn copy(repository: &Repository, source: &GitSource, deadline: Deadline) -> Result<(), git2::Error> {
    let keep = format!("+{0}:refs/gradus/{0}", source.commit);
    let by_id = copy_by(repository, source, deadline, &[&keep]);
    if by_id.is_ok() || deadline.check().is_err() {
        return by_id;
    }
    copy_by(repository, source, deadline, &["+refs/heads/*:refs/remotes/*", "+refs/tags/*:refs/tags/*"])
}

fn copy_by(
    repository: &Repository,
    source: &GitSource,
    deadline: Deadline,
    refspecs: &[&str],
) -> Result<(), git2::Error> {
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(|stats| stats.received_bytes() <= MAX_FETCH && deadline.check().is_ok());
    callbacks.sideband_progress(|_| deadline.check().is_ok());
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks).download_tags(AutotagOption::None).update_fetchhead(false);
    repository.remote_anonymous(&source.address)?.fetch(refspecs, Some(&mut options), None)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::forge::remote::testing::{Backend, Doors, PATH};

    fn hello() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("courses/hello")
    }

    /// A repository with the course below `courses/hello`, and a commit after the pinned one that breaks it.
    fn repository(dir: &Path) -> (PathBuf, CommitId) {
        let path = dir.join("courses.git");
        let repository = Repository::init_bare(&path).unwrap();
        let who = git2::Signature::new("A", "a@x.example", &git2::Time::new(0, 0)).unwrap();
        let mut index = repository.index().unwrap();
        for (path, entry) in Tree::from_dir(&hello()).unwrap().iter() {
            let crate::submission::tree::Entry::File { bytes, executable } = entry else { continue };
            let entry = git2::IndexEntry {
                ctime: git2::IndexTime::new(0, 0),
                mtime: git2::IndexTime::new(0, 0),
                dev: 0,
                ino: 0,
                mode: if *executable { 0o100_755 } else { 0o100_644 },
                uid: 0,
                gid: 0,
                file_size: 0,
                id: git2::Oid::ZERO_SHA1,
                flags: 0,
                flags_extended: 0,
                path: format!("courses/hello/{path}").into_bytes(),
            };
            index.add_frombuffer(&entry, bytes).unwrap();
        }
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let pinned = repository.commit(Some("refs/heads/main"), &who, &who, "one", &tree, &[]).unwrap();
        let parent = repository.find_commit(pinned).unwrap();
        let empty = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
        repository.commit(Some("refs/heads/main"), &who, &who, "two", &empty, &[&parent]).unwrap();
        (path, pinned.into())
    }

    fn config(source: CourseSource) -> CourseConfig {
        CourseConfig { id: "hello".parse().unwrap(), source, revision: None, allow_draft: true }
    }

    #[test]
    fn a_pinned_commit_is_the_same_course_as_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::open(&dir.path().join("data")).unwrap();
        let (address, commit) = repository(dir.path());
        let address = address.to_str().unwrap().to_owned();
        let git = GitSource { address, commit, path: "courses/hello".into(), token: None };
        let from_dir = load(&config(CourseSource::Dir(hello())), None, &data).unwrap();
        let from_git = load(&config(CourseSource::Git(git.clone())), None, &data).unwrap();
        assert_eq!(from_dir.revision, from_git.revision);
        // Fetched once: the repository may be gone afterwards.
        std::fs::remove_dir_all(dir.path().join("courses.git")).unwrap();
        assert!(load(&config(CourseSource::Git(git.clone())), None, &data).is_ok());
        let other = GitSource { commit: "a".repeat(40).parse().unwrap(), ..git };
        assert!(matches!(load(&config(CourseSource::Git(other)), None, &data), Err(CourseError::Fetch { .. })));
    }

    #[tokio::test]
    async fn a_server_gives_a_pinned_commit_to_whoever_has_the_token() {
        let dir = tempfile::tempdir().unwrap();
        let data = Arc::new(Data::open(&dir.path().join("data")).unwrap());
        let (path, commit) = repository(dir.path());
        let server = Backend::new(&path, Doors::Tokens("wr1ter", "re4der"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}{PATH}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, server.router()).await });
        let load = async |commit: &CommitId, token: Option<&str>| {
            let (address, commit, path) = (address.clone(), commit.clone(), "courses/hello".to_owned());
            let config = config(CourseSource::Git(GitSource { address, commit, path, token: None }));
            let (token, data) = (token.map(Secret::new), data.clone());
            tokio::task::spawn_blocking(move || load(&config, token.as_ref(), &data)).await.unwrap()
        };
        for (token, expected) in [
            (None, "asks for a token (401): give one that is able to read this"),
            (Some("wr0ng"), "does not take the token (401): give one that is in force and able to read this"),
        ] {
            let error = load(&commit, token).await.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(expected) && !shown.contains("wr0ng"), "{shown}");
        }
        let nowhere = load(&"a".repeat(40).parse().unwrap(), Some("re4der")).await.unwrap_err();
        assert!(matches!(nowhere, CourseError::NoCommit { .. }), "{nowhere}");
        let revision = load(&commit, Some("re4der")).await.unwrap().revision;
        assert_eq!(revision, load_dir(&hello()).unwrap().course.revision);
        // Fetched once: no token is asked for what is here.
        assert!(load(&commit, None).await.is_ok());
    }

    #[test]
    fn a_commit_that_is_nowhere_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::open(&dir.path().join("data")).unwrap();
        let (address, _) = repository(dir.path());
        let address = format!("file://{}", address.display());
        let git = GitSource { address, commit: "a".repeat(40).parse().unwrap(), path: String::new(), token: None };
        let error = load(&config(CourseSource::Git(git)), None, &data).unwrap_err();
        assert!(matches!(error, CourseError::NoCommit { .. }), "{error}");
    }

    #[test]
    fn another_course_another_revision_and_a_draft_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::open(&dir.path().join("data")).unwrap();
        let good = config(CourseSource::Dir(hello()));
        let revision = load(&good, None, &data).unwrap().revision;
        let pinned = |revision: TreeId| CourseConfig { revision: Some(revision), ..good.clone() };
        assert!(load(&pinned(revision), None, &data).is_ok());
        let error = load(&pinned("a".repeat(40).parse().unwrap()), None, &data).unwrap_err();
        assert!(matches!(error, CourseError::Revision { .. }), "{error}");
        let another = CourseConfig { id: "cnpe".parse().unwrap(), ..good.clone() };
        assert!(matches!(load(&another, None, &data), Err(CourseError::Another { .. })));
    }
}
