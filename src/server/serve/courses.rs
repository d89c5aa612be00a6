//! Courses that are served: from a directory, or from a pinned commit of a repository; never from a head.

use std::path::Path;
use std::time::Duration;

use git2::{AutotagOption, Cred, CredentialType, FetchOptions, RemoteCallbacks, RemoteRedirect, Repository};

use super::data::Data;
use crate::config::kinds::{CourseConfig, CourseSource, GitSource};
use crate::config::secret::Secret;
use crate::course::Course;
use crate::course::diagnostic::Diagnostic;
use crate::course::id::CourseId;
use crate::course::load;
use crate::course::locate::{LocateError, load_dir};
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
        source: git2::Error,
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
    let repository = Repository::init_bare(cache).map_err(failed)?;
    let object = git2::Oid::from_str(commit.as_str()).map_err(failed)?;
    if repository.find_commit(object).is_err() {
        let deadline = Deadline::after(FETCHING);
        match fetch(&repository, source, token, deadline) {
            Err(_) if deadline.check() == Err(Expired) => return Err(CourseError::Late(id.clone())),
            other => other.map_err(failed)?,
        }
    }
    if repository.find_commit(object).is_err() {
        return Err(CourseError::NoCommit { course: id.clone(), commit: commit.clone() });
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

/// By the commit's id, and where a server gives out none by id, all branches and tags.
fn fetch(
    repository: &Repository,
    source: &GitSource,
    token: Option<&Secret>,
    deadline: Deadline,
) -> Result<(), git2::Error> {
    let keep = format!("+{0}:refs/gradus/{0}", source.commit);
    let by_id = fetch_by(repository, source, token, deadline, &[&keep]);
    if by_id.is_ok() || deadline.check().is_err() {
        return by_id;
    }
    fetch_by(repository, source, token, deadline, &["+refs/heads/*:refs/remotes/*", "+refs/tags/*:refs/tags/*"])
}

fn fetch_by(
    repository: &Repository,
    source: &GitSource,
    token: Option<&Secret>,
    deadline: Deadline,
    refspecs: &[&str],
) -> Result<(), git2::Error> {
    let mut callbacks = RemoteCallbacks::new();
    let mut asked = false;
    callbacks.credentials(move |_, _, allowed| {
        // libgit2 asks again and again while the server refuses.
        let again = std::mem::replace(&mut asked, true);
        match token {
            _ if again => Err(git2::Error::from_str("the server refuses the course's token: it must be able to read")),
            // GitHub wants this name beside an App's token, the others take any.
            Some(token) if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                Cred::userpass_plaintext("x-access-token", token.expose())
            }
            _ => Err(git2::Error::from_str("the server asks for a token: give one to the course's source")),
        }
    });
    callbacks.transfer_progress(|stats| stats.received_bytes() <= MAX_FETCH && deadline.check().is_ok());
    callbacks.sideband_progress(|_| deadline.check().is_ok());
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks).download_tags(AutotagOption::None).update_fetchhead(false);
    // The token would go along.
    options.follow_redirects(RemoteRedirect::None);
    repository.remote_anonymous(&source.address)?.fetch(refspecs, Some(&mut options), None)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

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
