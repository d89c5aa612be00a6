use axum::Router;
use axum::routing::get;
use git2::Repository;
use http::StatusCode;

use super::super::http::{Limits, TransportError};
use super::super::remote::testing::{Backend, Doors, PATH, address};
use super::super::remote::{Refused, WireError};
use super::*;
use crate::submission::testing::{Git, noise};

struct World {
    upstream: Git,
    mirror: Mirror,
    backend: Backend,
    _dir: tempfile::TempDir,
}

impl World {
    fn new(limits: Limits) -> Self {
        let upstream = Git::new();
        upstream.write("tasks/a/x.yaml", "a: 1\n");
        upstream.commit("base");
        let backend = Backend::new(&upstream.dir().join(".git"), Doors::Open);
        let dir = tempfile::tempdir().unwrap();
        let mirror = Mirror::new(backend.transport(limits), address(), dir.path().join("mirror"));
        Self { upstream, mirror, backend, _dir: dir }
    }

    /// A commit that no branch holds, as a head in a fork is for upstream.
    fn pushed(&self, text: &[u8]) -> CommitId {
        self.upstream.run(&["checkout", "-q", "--detach", "main"]);
        self.upstream.write("tasks/a/x.yaml", text);
        let head = self.upstream.commit("work");
        self.upstream.run(&["checkout", "-q", "main"]);
        head
    }

    async fn fetch(&self, head: &CommitId) -> Result<PathBuf, RemoteError> {
        self.mirror.fetch(PullNumber(7), head, &self.upstream.head(), None).await
    }
}

#[tokio::test]
async fn a_head_is_fetched_by_its_id_with_the_base_to_compare_it_with() {
    let world = World::new(Limits::default());
    let main = world.upstream.head();
    let head = world.pushed(b"a: 2\n");
    world.upstream.run(&["branch", "other", "main"]);
    let path = world.fetch(&head).await.unwrap();
    let repository = Repository::open_bare(&path).unwrap();
    assert!(has(&repository, &head) && has(&repository, &main));
    let names: Vec<String> =
        repository.references().unwrap().map(|found| found.unwrap().name().unwrap().to_owned()).collect();
    assert_eq!(names, ["refs/gradus/base", "refs/pull/7/head"]);

    let again = world.pushed(b"a: 3\n");
    world.fetch(&again).await.unwrap();
    assert!(has(&Repository::open_bare(&path).unwrap(), &again));
}

#[tokio::test]
async fn what_is_here_is_not_fetched_again() {
    let world = World::new(Limits::default());
    world.upstream.write("large", noise(1 << 20));
    world.upstream.commit("large");
    let head = world.pushed(b"a: 2\n");
    world.fetch(&head).await.unwrap();
    assert!(world.backend.asked().iter().any(|asked| asked.length > 1 << 20));

    world.fetch(&head).await.unwrap();
    assert_eq!(world.backend.asked().len(), 0, "nothing was asked");
    let next = world.pushed(b"a: 3\n");
    world.fetch(&next).await.unwrap();
    let asked = world.backend.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.length < 2000), "{asked:?}");
}

#[tokio::test]
async fn a_base_that_moved_on_is_fetched_for_a_head_that_is_here() {
    let world = World::new(Limits::default());
    let head = world.pushed(b"a: 2\n");
    let path = world.fetch(&head).await.unwrap();
    world.upstream.write("tasks/b/y.yaml", "b: 1\n");
    let main = world.upstream.commit("published again");
    world.fetch(&head).await.unwrap();
    assert!(has(&Repository::open_bare(&path).unwrap(), &main));
}

#[tokio::test]
async fn a_head_that_upstream_does_not_have_is_named() {
    let world = World::new(Limits::default());
    let gone: CommitId = "1".repeat(40).parse().unwrap();
    let error = world.fetch(&gone).await.unwrap_err();
    assert!(matches!(&error, RemoteError::NoCommit(id) if *id == gone), "{error}");
    let head = world.pushed(b"a: 2\n");
    world.fetch(&head).await.unwrap();
}

#[tokio::test]
async fn a_history_beyond_the_limit_is_refused_and_leaves_nothing() {
    let world = World::new(Limits { bytes: 1 << 20, ..Limits::default() });
    let small = world.pushed(b"a: 2\n");
    world.fetch(&small).await.unwrap();
    let head = world.pushed(&noise(2 << 20));
    let error = world.fetch(&head).await.unwrap_err();
    assert!(matches!(error, RemoteError::Transport(TransportError::TooLarge { .. })), "{error}");
    assert!(!has(&Repository::open_bare(&world.mirror.path).unwrap(), &head));
    let entries = std::fs::read_dir(&world.mirror.path).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.starts_with("incoming")));
}

#[tokio::test]
async fn a_large_file_and_many_files_stay_in_a_pack() {
    let world = World::new(Limits::default());
    world.pushed(b"a: 2\n");
    let large = world.pushed(&noise(3 << 20));
    world.upstream.run(&["checkout", "-q", "--detach", "main"]);
    for number in 0..150 {
        world.upstream.write(&format!("tasks/many/{number}"), format!("{number}\n"));
    }
    let many = world.upstream.commit("many");
    world.upstream.run(&["checkout", "-q", "main"]);
    for head in [large, many] {
        let path = world.fetch(&head).await.unwrap();
        let repository = Repository::open_bare(path).unwrap();
        let tree = repository.find_commit(head.as_str().parse().unwrap()).unwrap().tree().unwrap();
        tree.walk(git2::TreeWalkMode::PreOrder, |_, entry| {
            repository.find_object(entry.id(), None).unwrap();
            git2::TreeWalkResult::Ok
        })
        .unwrap();
    }
    let packs = std::fs::read_dir(world.mirror.path.join("objects/pack")).unwrap().count();
    assert_eq!(packs, 4, "two packs and their indexes");
}

#[tokio::test]
async fn the_token_is_sent_and_written_nowhere() {
    let world = World::new(Limits::default());
    let head = world.pushed(b"a: 2\n");
    let mut token = HeaderValue::from_static("Basic c2VjcmV0");
    token.set_sensitive(true);
    let path = world.mirror.fetch(PullNumber(7), &head, &world.upstream.head(), Some(&token)).await.unwrap();
    let asked = world.backend.asked();
    let all = asked.iter().all(|asked| asked.authorization.as_deref() == Some("Basic c2VjcmV0"));
    assert!(!asked.is_empty() && all, "{asked:?}");
    let found = std::process::Command::new("grep").args(["-rl", "c2VjcmV0"]).arg(path).output().unwrap();
    assert_eq!(String::from_utf8(found.stdout).unwrap(), "");
    assert!(!format!("{:?}", world.mirror).contains("c2VjcmV0"));
}

#[tokio::test]
async fn a_server_that_refuses_is_told_from_one_that_answers_nonsense() {
    let dir = tempfile::tempdir().unwrap();
    let head: CommitId = "1".repeat(40).parse().unwrap();
    let fetch = async |router: Router| {
        let transport = Transport::over(router, Limits::default());
        let mirror = Mirror::new(transport, address(), dir.path().join("mirror"));
        mirror.fetch(PullNumber(7), &head, &head, None).await.unwrap_err()
    };
    let missing = fetch(Router::new()).await;
    assert!(matches!(missing, RemoteError::Refused(Refused { status: StatusCode::NOT_FOUND, .. })), "{missing}");
    let page = Router::new().route(&format!("{PATH}/info/refs"), get(async || "<html>sign in</html>"));
    assert!(matches!(fetch(page).await, RemoteError::Wire(WireError::Old)));
}
