//! The scenarios on the local forge.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use git2::{Commit, ObjectType, Repository, Signature};
use gradus::course::id::{CourseId, Learner};
use gradus::forge::Forge;
use gradus::forge::local::LocalForge;
use gradus::forge::local::data::DataDir;
use gradus::forge::pull::{Author, CommentId, PullNumber};
use gradus::reconcile::courses::OpenCourse;
use gradus::reconcile::policy::Policy;
use gradus::store::Store;
use gradus::store::time::{Clock, SystemClock};
use tempfile::TempDir;

use super::{Files, Shown, Stage};
use crate::up::world;

struct Local {
    dir: TempDir,
    data: Arc<DataDir>,
    course: Arc<OpenCourse>,
    /// For what is looked at from outside.
    forge: LocalForge,
}

super::play!(Local);

impl Local {
    fn id(&self) -> CourseId {
        self.course.course.id.clone()
    }

    fn learner() -> Learner {
        "ada".parse().unwrap()
    }

    async fn repository(&self) -> Repository {
        let path = self.forge.fork(&Self::learner(), &self.id()).await.unwrap().unwrap();
        Repository::open_bare(path).unwrap()
    }

    async fn branch(&self, number: PullNumber) -> String {
        format!("refs/heads/{}", self.forge.pull(number).await.unwrap().unwrap().branch)
    }

    async fn found(&self, branch: &str) -> PullNumber {
        self.forge.sweep().await.unwrap();
        let pulls = self.forge.pulls().await.unwrap();
        pulls.iter().find(|pull| pull.branch.as_str() == branch).unwrap().number
    }
}

/// Writes a commit that changes these files onto a branch.
fn commit(repository: &Repository, branch: &str, parent: &Commit<'_>, files: Files<'_>) -> String {
    let mut index = git2::Index::new().unwrap();
    let base = parent.tree().unwrap();
    base.walk(git2::TreeWalkMode::PreOrder, |dir, entry| {
        if entry.kind() == Some(ObjectType::Blob) {
            index.add(&index_entry(&format!("{dir}{}", entry.name().unwrap()), entry.id(), entry.filemode())).unwrap();
        }
        git2::TreeWalkResult::Ok
    })
    .unwrap();
    for (path, text) in files {
        index.add(&index_entry(path, repository.blob(text.as_bytes()).unwrap(), 0o100_644)).unwrap();
    }
    let tree = repository.find_tree(index.write_tree_to(repository).unwrap()).unwrap();
    let who = Signature::now("Ada", "ada@example.org").unwrap();
    let id = repository.commit(None, &who, &who, "work", &tree, &[parent]).unwrap();
    repository.reference(branch, id, true, "push").unwrap();
    id.to_string()
}

fn index_entry(path: &str, id: git2::Oid, mode: i32) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: u32::try_from(mode).unwrap(),
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

impl Stage for Local {
    type Forge = LocalForge;

    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        world::course(&dir.path().join("tiny"));
        let data = Arc::new(DataDir::open(&dir.path().join("data")).unwrap());
        let upstream = |course: &CourseId| data.upstream(course);
        let address = |_: &CourseId| "http://127.0.0.1/git/ada/tiny.git".to_owned();
        let course = Arc::new(OpenCourse::open(&dir.path().join("tiny"), upstream, address, 0).unwrap());
        let store = Store::open(&data.database()).await.unwrap();
        let ids = BTreeSet::from([course.course.id.clone()]);
        let forge = LocalForge::new(data.clone(), store, Arc::new(SystemClock), ids);
        Self { dir, data, course, forge }
    }

    fn course(&self) -> Arc<OpenCourse> {
        self.course.clone()
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// The forge and every daemon on it share one.
    fn database(&self, _: &str) -> PathBuf {
        self.data.database()
    }

    fn gradebook(&self, _: &str) -> PathBuf {
        self.data.gradebook()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn policy(&self) -> Policy {
        Policy::local()
    }

    async fn forge(&self, store: &Store) -> LocalForge {
        LocalForge::new(self.data.clone(), store.clone(), self.clock(), BTreeSet::from([self.id()]))
    }

    async fn notice(&self, forge: &LocalForge) {
        forge.sweep().await.unwrap();
    }

    async fn open(&self, branch: &str, files: Files<'_>) -> PullNumber {
        let repository = self.repository().await;
        let main = repository.revparse_single("refs/heads/main").unwrap().peel_to_commit().unwrap();
        commit(&repository, &format!("refs/heads/{branch}"), &main, files);
        drop(main);
        drop(repository);
        self.found(branch).await
    }

    async fn push(&self, number: PullNumber, files: Files<'_>) -> String {
        let (repository, branch) = (self.repository().await, self.branch(number).await);
        let parent = repository.revparse_single(&branch).unwrap().peel_to_commit().unwrap();
        commit(&repository, &branch, &parent, files)
    }

    async fn force_push(&self, number: PullNumber, files: Files<'_>) -> String {
        let (repository, branch) = (self.repository().await, self.branch(number).await);
        let main = repository.revparse_single("refs/heads/main").unwrap().peel_to_commit().unwrap();
        commit(&repository, &branch, &main, files)
    }

    async fn force_push_back(&self, number: PullNumber, head: &str) {
        let (repository, branch) = (self.repository().await, self.branch(number).await);
        repository.reference(&branch, head.parse().unwrap(), true, "push").unwrap();
    }

    async fn head(&self, number: PullNumber) -> String {
        self.forge.pull(number).await.unwrap().unwrap().head.to_string()
    }

    async fn close(&self, number: PullNumber) {
        let (repository, branch) = (self.repository().await, self.branch(number).await);
        repository.find_reference(&branch).unwrap().delete().unwrap();
    }

    async fn say(&self, number: PullNumber, text: &str) {
        let pull = self.forge.pull(number).await.unwrap().unwrap();
        self.forge.comment(&pull, &Self::learner(), text).await.unwrap();
    }

    async fn reviews(&self, number: PullNumber) -> Vec<Shown> {
        let shown = |stored: gradus::forge::local::StoredReview| Shown {
            head: stored.head.to_string(),
            body: stored.review.body,
            lines: stored.review.comments.into_iter().map(|comment| (comment.path, comment.line.into())).collect(),
            folded: stored.retired,
        };
        self.forge.stored_reviews(number).await.unwrap().into_iter().map(shown).collect()
    }

    async fn answers(&self, number: PullNumber) -> Vec<String> {
        let all = self.forge.comments_after(number, CommentId::default()).await.unwrap();
        all.into_iter().filter(|comment| comment.author == Author::Grader).map(|comment| comment.body).collect()
    }

    async fn status(&self, number: PullNumber, head: &str) -> Option<(String, String)> {
        let status = self.forge.status(number, &head.parse().unwrap()).await.unwrap()?;
        let state = serde_json::to_value(status.state).unwrap();
        Some((state.as_str().unwrap().to_owned(), status.description))
    }
}
