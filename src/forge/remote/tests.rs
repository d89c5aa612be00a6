use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use git2::Signature;

use super::super::http::Limits;
use super::testing::{Backend, Doors, address};
use super::*;

/// A bare repository on the server, one on this machine, and commits that are made here.
struct World {
    dir: tempfile::TempDir,
    backend: Backend,
    remote: Remote,
}

const MAIN: &str = "refs/heads/main";

impl World {
    fn new(doors: Doors) -> Self {
        Self::with(doors, |backend| backend)
    }

    fn with(doors: Doors, change: impl FnOnce(Backend) -> Backend) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["there", "here"] {
            Repository::init_bare(dir.path().join(name)).unwrap();
        }
        let backend = change(Backend::new(&dir.path().join("there"), doors));
        let remote = backend.remote();
        Self { dir, backend, remote }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self, name: &str) -> Repository {
        Repository::open_bare(self.path(name)).unwrap()
    }

    fn commit(&self, name: &str, text: &str, parent: Option<&CommitId>) -> CommitId {
        commit(&self.open(name), text, parent)
    }

    fn main(&self) -> Option<CommitId> {
        self.open("there").refname_to_id(MAIN).ok().map(CommitId::from)
    }

    async fn push(&self, old: Option<&CommitId>, new: &CommitId) -> Result<Pushed, RemoteError> {
        let update = Update { reference: MAIN.to_owned(), old: old.cloned(), new: new.clone() };
        self.remote.push(&self.path("here"), &update, None).await
    }

    /// What is asked of every pushed commit before it is taken.
    fn hook(&self, script: &str) {
        let path = self.path("there/hooks/pre-receive");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
}

/// A commit of one file.
fn commit(repository: &Repository, text: &str, parent: Option<&CommitId>) -> CommitId {
    let who = Signature::new("A", "a@x.example", &git2::Time::new(0, 0)).unwrap();
    let mut tree = repository.treebuilder(None).unwrap();
    tree.insert("file", repository.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
    let parent = parent.map(|id| repository.find_commit(id.as_str().parse().unwrap()).unwrap());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(None, &who, &who, text, &tree, &parents).unwrap().into()
}

fn set(repository: &Repository, id: &CommitId) {
    repository.reference(MAIN, id.as_str().parse().unwrap(), true, "pushed").unwrap();
}

#[tokio::test]
async fn a_branch_is_looked_up_and_its_commits_are_fetched() {
    let world = World::new(Doors::Open);
    let here = world.path("here");
    assert_eq!(world.remote.reference(MAIN, None).await.unwrap(), None, "an empty repository has no branch");
    let first = world.commit("there", "one", None);
    set(&world.open("there"), &first);
    assert_eq!(world.remote.reference(MAIN, None).await.unwrap(), Some(first.clone()));
    assert_eq!(world.remote.reference("refs/heads/mai", None).await.unwrap(), None);
    world.remote.fetch(&here, std::slice::from_ref(&first), &[], None).await.unwrap();
    let second = world.commit("there", "two", Some(&first));
    world.remote.fetch(&here, std::slice::from_ref(&second), std::slice::from_ref(&first), None).await.unwrap();
    assert!(has(&world.open("here"), &first) && has(&world.open("here"), &second));
    let asked: Vec<String> = world.backend.asked().into_iter().map(|asked| asked.what).collect();
    assert_eq!(asked.iter().filter(|what| *what == "GET info/refs").count(), 1, "it is greeted once: {asked:?}");
}

#[tokio::test]
async fn a_first_push_makes_the_branch_and_the_next_one_stands_on_it() {
    let world = World::new(Doors::Open);
    let first = world.commit("here", "one", None);
    assert_eq!(world.push(None, &first).await.unwrap(), Pushed::Taken);
    assert_eq!(world.main(), Some(first.clone()));
    let second = world.commit("here", &"two".repeat(1000), Some(&first));
    assert_eq!(world.push(Some(&first), &second).await.unwrap(), Pushed::Taken);
    assert_eq!(world.main(), Some(second.clone()));
    let there = world.open("there");
    let tree = there.find_commit(second.as_str().parse().unwrap()).unwrap().tree().unwrap();
    assert_eq!(there.find_blob(tree.get_name("file").unwrap().id()).unwrap().size(), 3000);
}

#[tokio::test]
async fn whoever_comes_second_is_told_so_and_nothing_is_lost() {
    let world = World::new(Doors::Open);
    let base = world.commit("here", "base", None);
    world.push(None, &base).await.unwrap();
    let (ours, theirs) = (world.commit("here", "ours", Some(&base)), world.commit("there", "theirs", Some(&base)));
    set(&world.open("there"), &theirs);
    assert_eq!(world.push(Some(&base), &ours).await.unwrap(), Pushed::Behind);
    assert_eq!(world.push(None, &ours).await.unwrap(), Pushed::Behind);
    world.backend.asked();
    // What would take theirs away does not even leave.
    world.remote.fetch(&world.path("here"), std::slice::from_ref(&theirs), &[], None).await.unwrap();
    assert_eq!(world.push(Some(&theirs), &ours).await.unwrap(), Pushed::Behind);
    assert!(world.backend.asked().iter().all(|asked| asked.what != "POST git-receive-pack"));
    assert_eq!(world.main(), Some(theirs));
}

#[tokio::test]
async fn a_push_that_another_one_overtakes_on_the_server_is_refused_there() {
    let faster: Arc<Mutex<Option<CommitId>>> = Arc::default();
    let overtake = {
        let faster = faster.clone();
        move |there: &Path| {
            if let Some(id) = faster.lock().unwrap().take() {
                set(&Repository::open_bare(there).unwrap(), &id);
            }
        }
    };
    let world = World::with(Doors::Open, |backend| backend.meanwhile(overtake));
    let base = world.commit("here", "base", None);
    world.push(None, &base).await.unwrap();
    let (ours, theirs) = (world.commit("here", "ours", Some(&base)), world.commit("there", "theirs", Some(&base)));
    *faster.lock().unwrap() = Some(theirs.clone());
    let pushed = world.push(Some(&base), &ours).await.unwrap();
    assert!(matches!(pushed, Pushed::Refused(_)), "{pushed:?}");
    assert_eq!(world.main(), Some(theirs));
}

#[tokio::test]
async fn a_server_that_takes_no_push_says_why() {
    let world = World::new(Doors::Open);
    world.hook("echo 'grades are closed until Monday' >&2; exit 1");
    let pushed = world.push(None, &world.commit("here", "one", None)).await.unwrap();
    let Pushed::Refused(why) = pushed else { panic!("{pushed:?}") };
    assert_eq!(why, "pre-receive hook declined: grades are closed until Monday");
    assert_eq!(world.main(), None);
}

#[tokio::test]
async fn a_token_opens_what_it_is_good_for_and_is_shown_nowhere() {
    let world = World::new(Doors::Tokens("wr1ter", "re4der"));
    let first = world.commit("here", "one", None);
    let update = Update { reference: MAIN.to_owned(), old: None, new: first.clone() };
    let here = world.path("here");
    let said = async |token: Option<&str>| {
        let header = token.map(|token| basic(token).unwrap());
        let read = world.remote.reference(MAIN, header.as_ref()).await.err();
        let wrote = world.remote.push(&here, &update, header.as_ref()).await.err();
        let all = [read, wrote].map(|error| error.map(|error| format!("{error} {error:?}")).unwrap_or_default());
        assert!(!token.is_some_and(|token| all.concat().contains(token)), "{all:?}");
        all.map(|text| text.split(" this repository").next().unwrap().to_owned())
    };
    let asks = "the server asks for a token (401): give one that is able to read and write";
    assert_eq!(said(None).await, [asks, asks]);
    let wrong = "the server does not take the token (401): give one that is in force and able to read and write";
    assert_eq!(said(Some("wr0ng")).await, [wrong, wrong]);
    let may_not = "the server does not allow it (403): the token must be able to read and write";
    assert_eq!(said(Some("re4der")).await, ["", may_not]);
    assert_eq!(world.main(), None);
    assert_eq!(said(Some("wr1ter")).await, ["", ""]);
    assert_eq!(world.main(), Some(first));
    assert!(!format!("{:?}", world.remote).contains("wr1ter"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved = Router::new()
        .fallback(async || (StatusCode::MOVED_PERMANENTLY, [(LOCATION, "https://evil.test/")]).into_response());
    let remote = Remote::new(Transport::over(moved, Limits::default()), address(), Need::Read);
    let error = remote.reference(MAIN, basic("t0ken").as_ref()).await.unwrap_err();
    assert_eq!(error.to_string(), "the repository has moved (301): give the address where it is now");
}

#[tokio::test]
async fn a_commit_that_the_server_does_not_have_is_named() {
    let world = World::new(Doors::Open);
    let there = world.commit("there", "one", None);
    let gone: CommitId = "1".repeat(40).parse().unwrap();
    let error = world.remote.fetch(&world.path("here"), &[there, gone.clone()], &[], None).await.unwrap_err();
    assert!(matches!(&error, RemoteError::NoCommit(id) if *id == gone), "{error}");
}

#[test]
fn a_token_is_a_password_and_is_not_shown() {
    let value = basic("ghs_1.2_3").unwrap();
    assert_eq!(value, format!("Basic {}", BASE64.encode("x-access-token:ghs_1.2_3")));
    assert_eq!(format!("{value:?}"), "Sensitive");
}
