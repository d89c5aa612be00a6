//! Scenarios: the real store, journal, local forge and gradebook; a scripted grader; a clock that is moved by hand.
//! Each one ends with the same question: is everything answered, once?

use std::collections::BTreeSet;
use std::sync::Mutex;

use git2::{Repository, Signature};

use super::*;
use crate::checkpoint::evidence::{ALL_IN_USE, Evidence};
use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CourseId, Learner};
use crate::forge::WriteRoom;
use crate::forge::local::LocalForge;
use crate::forge::local::data::DataDir;
use crate::forge::local::{Received, Update};
use crate::forge::pull::{Author, CommentId, PostedReview, PullNumber, Readiness, Workspace};
use crate::grade::report::{CheckpointResult, CourseRef, Report, ReportKind};
use crate::reconcile::cancel::Cancelled;
use crate::reconcile::courses::OpenCourse;
use crate::reconcile::grader::GradedTask;
use crate::reconcile::policy::Policy;
use crate::reconcile::probe::Stopped;
use crate::review::{Review, ReviewEvent, Status, StatusState};
use crate::store::queue::Hint;
use crate::store::time::ManualClock;

/// Grades by what a commit's subject says: `score 3`, `inconclusive`, or an error for anything else.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<ScriptState>>);

#[derive(Default)]
struct ScriptState {
    /// Overrides what the subjects say.
    verdict: Option<&'static str>,
    /// The next grading never ends by itself.
    stalls: bool,
    /// The gradings that were called off.
    cancelled: Vec<Cancelled>,
    /// Done once, in the middle of the next grading.
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
    requests: Vec<Request>,
}

impl Grader for Script {
    async fn grade(&self, request: Request) -> std::result::Result<Grading, GradeError> {
        let (meanwhile, verdict, stalls) = {
            let mut state = self.0.lock().unwrap();
            state.requests.push(request.clone());
            state.cancelled.push(request.cancelled.clone());
            (state.meanwhile.take(), state.verdict, std::mem::take(&mut state.stalls))
        };
        if stalls {
            std::future::pending::<()>().await;
        }
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let Objects::Here(repository) = &request.objects else { return Err("too large".into()) };
        let repository = Repository::open_bare(repository)?;
        let commit = repository.find_commit(git2::Oid::from_str(request.pull.head.as_str())?)?;
        let subject =
            verdict.map_or_else(|| commit.summary().ok().flatten().unwrap_or_default().to_owned(), str::to_owned);
        let (outcome, score) = match subject.split_once(' ') {
            Some(("score", score)) => (if score == "4" { Outcome::Pass } else { Outcome::Fail }, score.parse()?),
            _ if ["inconclusive", "in use"].contains(&subject.as_str()) => (Outcome::Inconclusive, 0),
            _ => return Err(subject.into()),
        };
        let task: crate::course::id::TaskId = "first".parse()?;
        let course = CourseRef { id: request.pull.course.clone(), revision: "0".repeat(40).parse()? };
        let files = commit.tree_id().into();
        let attempt = request.book.record(&course.id, &task).map_or(1, |record| record.attempt_number(&files));
        let operator = (subject == "in use").then(|| ALL_IN_USE.to_owned());
        let result = CheckpointResult {
            id: "c".parse()?,
            title: "C".to_owned(),
            outcome,
            score,
            points: 4,
            blame: None,
            blocked_by: Vec::new(),
            cases: None,
            evidence: operator
                .map(|operator| Evidence { operator: Some(operator), ..Evidence::default() })
                .into_iter()
                .collect(),
        };
        let report = Report {
            api_version: crate::course::task::API_VERSION.to_owned(),
            kind: ReportKind::Report,
            task,
            title: "First".to_owned(),
            course: course.clone(),
            commit: Some(request.pull.head.clone()),
            score,
            points: 4,
            outcome,
            provisional: outcome.is_provisional(),
            checkpoints: vec![result],
        };
        let (report, again_at) = crate::grade::quarantine::apply(report, &request.quarantines);
        let state = match report.outcome {
            Outcome::Error => StatusState::Error,
            Outcome::Pass => StatusState::Success,
            Outcome::Inconclusive => StatusState::Pending,
            _ => StatusState::Failure,
        };
        let skipped: Vec<_> = request.skipped.iter().map(|head| head.short().to_owned()).collect();
        Ok(Grading {
            course,
            tasks: vec![GradedTask { files, attempt: u32::try_from(attempt)?, report, observed: None }],
            passed_before: Vec::new(),
            review: Review {
                event: ReviewEvent::Comment,
                body: format!("{subject}; attempt {attempt}; skipped {}", skipped.join(" ")),
                comments: Vec::new(),
                status: Status { state, description: subject.clone() },
            },
            terminal: subject,
            practice: request.pull.readiness == Readiness::Draft,
            quiet: request.bot,
            human: Vec::new(),
            again_at,
        })
    }

    fn course(&self, _: &CourseId) -> Option<Arc<OpenCourse>> {
        None
    }
}

/// Stops a worker the first time it comes to a point.
struct StopAt(Mutex<Option<Point>>);

impl Probe for StopAt {
    fn pass(&self, point: Point) -> std::result::Result<(), Stopped> {
        let mut armed = self.0.lock().unwrap();
        if *armed == Some(point) {
            *armed = None;
            return Err(Stopped(point));
        }
        Ok(())
    }
}

struct World {
    _dir: tempfile::TempDir,
    data: Arc<DataDir>,
    store: Store,
    clock: Arc<ManualClock>,
    script: Script,
    policy: LivePolicy,
    learner: Learner,
    course: CourseId,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = Arc::new(DataDir::open(dir.path()).unwrap());
        let course: CourseId = "hello".parse().unwrap();
        let upstream = Repository::init_bare(data.upstream(&course)).unwrap();
        write(&upstream, "refs/heads/main", "publish", None);
        let store = Store::open(&data.database()).await.unwrap();
        let clock = Arc::new(ManualClock::at(Time(1_000_000)));
        let world = Self {
            _dir: dir,
            data,
            store,
            clock,
            script: Script::default(),
            policy: LivePolicy::new(Policy::local()),
            learner: "ada".parse().unwrap(),
            course,
        };
        world.forge().fork(&world.learner, &world.course).await.unwrap().unwrap();
        world
    }

    fn forge(&self) -> LocalForge {
        LocalForge::new(
            self.data.clone(),
            self.store.clone(),
            self.clock.clone(),
            BTreeSet::from([self.course.clone()]),
        )
    }

    /// A fresh worker: nothing of an earlier one but what is on disk.
    fn worker(&self) -> Reconciler<LocalForge, Script> {
        let gradebook = Arc::new(Gradebook::new(self.data.gradebook()));
        Reconciler::new(
            self.forge(),
            self.script.clone(),
            self.store.clone(),
            gradebook,
            self.policy.clone(),
            self.clock.clone(),
            Pulse::default(),
        )
    }

    fn repository(&self) -> Repository {
        Repository::open_bare(self.data.fork(&self.learner, &self.course)).unwrap()
    }

    /// Moves a branch without telling anybody.
    fn commit(&self, branch: &str, subject: &str) -> CommitId {
        write(&self.repository(), &format!("refs/heads/{branch}"), subject, Some("refs/heads/main"))
    }

    async fn tell(&self, branch: &str, head: Option<&CommitId>) {
        let updates = vec![Update { branch: branch.parse().unwrap(), head: head.cloned() }];
        let received = Received { learner: self.learner.clone(), course: self.course.clone(), updates };
        self.forge().received(&received).await.unwrap();
    }

    async fn push(&self, branch: &str, subject: &str) -> CommitId {
        let head = self.commit(branch, subject);
        self.tell(branch, Some(&head)).await;
        self.clock.advance(Duration::from_millis(10));
        head
    }

    async fn delete(&self, branch: &str) {
        self.repository().find_reference(&format!("refs/heads/{branch}")).unwrap().delete().unwrap();
        self.tell(branch, None).await;
    }

    async fn say(&self, body: &str) {
        let pull = self.forge().pull(PullNumber(1)).await.unwrap().unwrap();
        self.forge().comment(&pull, &self.learner, body).await.unwrap();
    }

    /// Works until nothing is due.
    async fn rest(&self) {
        let worker = self.worker();
        while worker.work_one().await.unwrap() {}
    }

    async fn reviews(&self) -> Vec<PostedReview> {
        self.forge().reviews(PullNumber(1)).await.unwrap()
    }

    async fn bodies(&self) -> Vec<String> {
        self.reviews().await.into_iter().map(|posted| posted.body).collect()
    }

    async fn answers(&self) -> Vec<String> {
        let comments = self.forge().comments_after(PullNumber(1), CommentId::default()).await.unwrap();
        comments.into_iter().filter(|comment| comment.author == Author::Grader).map(|comment| comment.body).collect()
    }

    async fn status(&self, head: &CommitId) -> Status {
        self.forge().status(PullNumber(1), head).await.unwrap().unwrap()
    }

    fn lines(&self) -> usize {
        std::fs::read_to_string(self.data.gradebook().join("ada.jsonl")).map_or(0, |text| text.lines().count())
    }

    /// Nothing is queued, intended, posted but not finished, or unanswered while open.
    async fn assert_at_rest(&self) {
        assert_eq!(self.store.queue_length().await.unwrap(), 0, "the queue is empty");
        for pull in self.forge().pulls().await.unwrap() {
            let key = self.forge().key(pull.number);
            for entry in self.store.journal(&key).await.unwrap() {
                assert!(!matches!(entry.state, JournalState::Intent | JournalState::Posted), "{entry:?}");
            }
            if pull.state == PullState::Open {
                assert!(self.store.heads(&key).await.unwrap().iter().all(|head| head.answered_at.is_some()), "{key}");
            }
        }
        assert_eq!(self.worker().sweep(None).await.unwrap(), 0, "the sweep finds nothing");
    }
}

/// A commit whose tree holds its subject, on top of `parent` or of the reference itself.
fn write(repository: &Repository, name: &str, subject: &str, from: Option<&str>) -> CommitId {
    let mut tree = repository.treebuilder(None).unwrap();
    tree.insert("subject", repository.blob(subject.as_bytes()).unwrap(), 0o100_644).unwrap();
    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
    let tip = |name: &str| repository.find_reference(name).ok().map(|found| found.peel_to_commit().unwrap());
    let parent = tip(name).or_else(|| from.and_then(tip));
    let by = Signature::new("Ada", "ada@example.org", &git2::Time::new(0, 0)).unwrap();
    let parents: Vec<_> = parent.iter().collect();
    let id = repository.commit(None, &by, &by, subject, &tree, &parents).unwrap();
    repository.reference(name, id, true, "test").unwrap();
    id.into()
}

#[tokio::test]
async fn a_push_gets_one_review_a_status_and_a_line_in_the_gradebook() {
    let world = World::new().await;
    let head = world.push("fix", "score 3").await;
    assert_eq!(world.status(&head).await.state, StatusState::Pending, "told at once");
    world.rest().await;
    assert_eq!(world.bodies().await, ["score 3; attempt 1; skipped "]);
    assert_eq!(world.status(&head).await.state, StatusState::Failure);
    assert_eq!(world.lines(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_crash_at_any_point_leaves_one_review_one_line_and_one_answer() {
    for point in Point::ALL {
        let world = World::new().await;
        let head = world.push("fix", "score 3").await;
        world.say("/progress").await;
        let worker = world.worker().with_probe(Arc::new(StopAt(Mutex::new(Some(point)))));
        let stopped = worker.work_one().await.unwrap_err();
        assert!(matches!(&stopped, ReconcileError::Stopped(Stopped(at)) if *at == point), "{point:?}: {stopped}");
        drop(worker);
        world.store.break_leases().await.unwrap();
        world.rest().await;
        assert_eq!(world.bodies().await.len(), 1, "{point:?}");
        assert_eq!(world.answers().await.len(), 1, "{point:?}");
        assert_eq!(world.lines(), 1, "{point:?}");
        assert_eq!(world.status(&head).await.state, StatusState::Failure, "{point:?}");
        world.assert_at_rest().await;
    }
}

#[tokio::test]
async fn two_workers_with_an_expired_lease_between_them_post_once() {
    for point in [Point::Graded, Point::Intended, Point::HeadChecked, Point::Posted] {
        let world = World::new().await;
        world.push("fix", "score 3").await;
        let slow = world.worker().with_probe(Arc::new(StopAt(Mutex::new(Some(point)))));
        slow.work_one().await.unwrap_err();
        // The first worker is not dead, only slow: its lease runs out, another one does all the work, then it goes on.
        world.clock.advance(crate::store::queue::LEASE + Duration::from_secs(1));
        world.rest().await;
        let key = world.forge().key(PullNumber(1));
        world.store.enqueue(&key, "ada", Hint::Housekeeping, world.clock.now()).await.unwrap();
        while slow.work_one().await.unwrap() {}
        assert_eq!(world.bodies().await.len(), 1, "{point:?}");
        assert_eq!(world.lines(), 1, "{point:?}");
        world.assert_at_rest().await;
    }
}

#[tokio::test]
async fn skipped_heads_are_named_by_the_review_that_answers_them() {
    let world = World::new().await;
    let first = world.push("fix", "score 1").await;
    let second = world.push("fix", "score 2").await;
    world.push("fix", "score 3").await;
    world.rest().await;
    let expected = format!("score 3; attempt 1; skipped {} {}", first.short(), second.short());
    assert_eq!(world.bodies().await, [expected]);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_push_while_grading_supersedes_what_is_being_graded() {
    let world = Arc::new(World::new().await);
    let first = world.push("fix", "score 1").await;
    let meanwhile = world.clone();
    // Only the ref moves: nobody was told yet.
    world.script.0.lock().unwrap().meanwhile = Some(Box::new(move || {
        meanwhile.commit("fix", "score 3");
    }));
    world.rest().await;
    assert_eq!(world.bodies().await, [format!("score 3; attempt 1; skipped {}", first.short())]);
    assert_eq!(world.lines(), 1, "what was superseded is no attempt");
    // To be told late changes nothing any more.
    world.forge().sweep().await.unwrap();
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_intent_that_was_overtaken_is_never_posted() {
    let world = World::new().await;
    world.push("fix", "score 1").await;
    let worker = world.worker().with_probe(Arc::new(StopAt(Mutex::new(Some(Point::Intended)))));
    worker.work_one().await.unwrap_err();
    world.push("fix", "score 3").await;
    world.store.break_leases().await.unwrap();
    world.rest().await;
    let bodies = world.bodies().await;
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0].starts_with("score 3"), "{bodies:?}");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_head_that_comes_back_is_answered_by_the_review_it_has() {
    let world = World::new().await;
    let first = world.push("fix", "score 1").await;
    world.rest().await;
    world.push("fix", "score 3").await;
    world.rest().await;
    let id = git2::Oid::from_str(first.as_str()).unwrap();
    world.repository().reference("refs/heads/fix", id, true, "force").unwrap();
    world.tell("fix", Some(&first)).await;
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 2);
    assert_eq!(world.status(&first).await.description, "score 1");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_head_that_was_superseded_and_comes_back_is_posted() {
    let world = World::new().await;
    let first = world.push("fix", "score 1").await;
    let worker = world.worker().with_probe(Arc::new(StopAt(Mutex::new(Some(Point::Intended)))));
    worker.work_one().await.unwrap_err();
    world.push("fix", "score 3").await;
    world.store.break_leases().await.unwrap();
    world.rest().await;
    let id = git2::Oid::from_str(first.as_str()).unwrap();
    world.repository().reference("refs/heads/fix", id, true, "force").unwrap();
    world.tell("fix", Some(&first)).await;
    world.rest().await;
    let bodies = world.bodies().await;
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies[1].starts_with("score 1"), "{bodies:?}");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_deleted_branch_gets_nothing_and_the_same_number_when_it_comes_back() {
    let world = World::new().await;
    world.push("fix", "score 1").await;
    world.delete("fix").await;
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 0);
    world.assert_at_rest().await;
    world.push("fix", "score 3").await;
    world.rest().await;
    let pulls = world.forge().pulls().await.unwrap();
    assert_eq!((pulls.len(), pulls[0].number, pulls[0].state), (1, PullNumber(1), PullState::Open));
    assert_eq!(world.bodies().await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_push_that_nobody_recorded_is_found_by_the_sweep() {
    let world = World::new().await;
    let head = world.commit("fix", "score 3");
    assert_eq!(world.forge().sweep().await.unwrap().len(), 1);
    assert_eq!(world.forge().sweep().await.unwrap().len(), 0, "and only once");
    world.rest().await;
    assert_eq!(world.status(&head).await.state, StatusState::Failure);
    world.repository().find_reference("refs/heads/fix").unwrap().delete().unwrap();
    world.forge().sweep().await.unwrap();
    assert_eq!(world.forge().pulls().await.unwrap()[0].state, PullState::Closed);
    world.rest().await;
    world.assert_at_rest().await;
}

#[tokio::test]
async fn an_emptied_queue_is_filled_again_by_the_sweep() {
    let world = World::new().await;
    world.push("fix", "score 3").await;
    let claim =
        world.store.claim(&Workspace("local".into()), world.clock.now(), WriteRoom::default()).await.unwrap().unwrap();
    world.store.finish(&claim).await.unwrap();
    assert_eq!(world.worker().sweep(None).await.unwrap(), 1);
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn main_is_a_pull_request_only_while_it_holds_work() {
    let world = World::new().await;
    assert_eq!(world.forge().sweep().await.unwrap(), []);
    let published = world.repository().refname_to_id("refs/heads/main").unwrap();
    let work = world.push("main", "score 1").await;
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 1);
    world.repository().reference("refs/heads/main", published, true, "moved away").unwrap();
    world.tell("main", Some(&published.into())).await;
    world.rest().await;
    let pull = &world.forge().pulls().await.unwrap()[0];
    assert_eq!((pull.state, &pull.head), (PullState::Closed, &work), "what was graded stays its head");
    assert_eq!(world.status(&work).await.state, StatusState::Failure);
    assert_eq!(world.forge().sweep().await.unwrap(), [], "an emptied main stays closed");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn what_waits_when_it_is_closed_or_pushed_over_does_not_wait_for_ever() {
    let world = World::new().await;
    let first = world.push("fix", "inconclusive").await;
    world.rest().await;
    let second = world.push("fix", "score 3").await;
    world.rest().await;
    assert_eq!(world.status(&second).await.description, "score 3");
    let pushed_over = world.status(&first).await;
    assert_eq!(
        (pushed_over.state, &*pushed_over.description),
        (StatusState::Failure, "No final result: a newer push came first")
    );

    let third = world.push("fix", "inconclusive").await;
    world.rest().await;
    assert_eq!(world.status(&third).await.state, StatusState::Pending);
    world.delete("fix").await;
    world.rest().await;
    let closed = world.status(&third).await;
    assert_eq!(
        (closed.state, &*closed.description),
        (StatusState::Failure, "No final result: the pull request was closed first")
    );
    assert_eq!(world.status(&second).await.description, "score 3", "a result stays");
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_provisional_result_is_tried_again_and_only_the_final_one_is_posted() {
    let world = World::new().await;
    let head = world.push("fix", "score 3").await;
    world.script.0.lock().unwrap().verdict = Some("inconclusive");
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 0);
    assert_eq!((world.status(&head).await.state, world.lines()), (StatusState::Pending, 0));
    world.script.0.lock().unwrap().verdict = None;
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 0, "not before its time");
    world.clock.advance(crate::reconcile::decide::RETRIES[0]);
    world.rest().await;
    assert_eq!(world.bodies().await, ["score 3; attempt 1; skipped "]);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn after_ten_minutes_a_provisional_review_is_posted_and_the_final_one_later() {
    let world = World::new().await;
    world.push("fix", "score 3").await;
    world.script.0.lock().unwrap().verdict = Some("inconclusive");
    for _ in 0..22 {
        world.rest().await;
        world.clock.advance(Duration::from_secs(30));
    }
    assert_eq!(world.bodies().await, ["inconclusive; attempt 1; skipped "]);
    world.script.0.lock().unwrap().verdict = None;
    for _ in 0..300 {
        world.clock.advance(Duration::from_secs(60));
        world.rest().await;
    }
    let bodies = world.bodies().await;
    assert!(bodies[0].starts_with("Provisional; the final result of"), "{bodies:?}");
    assert_eq!(bodies[1..], ["score 3; attempt 1; skipped "]);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn who_waits_for_a_cluster_is_told_at_once_and_tried_again_for_days() {
    let world = World::new().await;
    world.push("fix", "score 3").await;
    world.script.0.lock().unwrap().verdict = Some("in use");
    world.rest().await;
    assert_eq!(world.bodies().await, ["in use; attempt 1; skipped "]);
    let tries = || world.script.0.lock().unwrap().requests.len();
    for _ in 0..48 {
        world.clock.advance(super::LOOK_FOR_CLUSTER);
        world.rest().await;
    }
    assert_eq!((tries(), world.bodies().await.len()), (49, 1), "nothing new is told");
    // Somebody gave one back.
    world.script.0.lock().unwrap().verdict = None;
    let store = &world.store;
    for known in store.known(world.forge().workspace()).await.unwrap() {
        let key = PullKey { workspace: world.forge().workspace().clone(), number: known.number };
        assert!(store.grading_state(&key, &known.head).await.unwrap().unwrap().traits.held_up);
        store.grade_again(&key, &known.lane, &known.head, world.clock.now()).await.unwrap();
    }
    world.rest().await;
    let bodies = world.bodies().await;
    assert_eq!(bodies.last().map(String::as_str), Some("score 3; attempt 1; skipped "), "{bodies:?}");
}

#[tokio::test]
async fn what_never_becomes_final_ends() {
    let world = World::new().await;
    world.push("fix", "inconclusive").await;
    for _ in 0..300 {
        world.rest().await;
        world.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(world.bodies().await.len(), 1);
    assert_eq!(world.script.0.lock().unwrap().requests.len(), 1 + crate::reconcile::decide::RETRIES.len());
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_grader_that_fails_is_asked_again_later_and_nothing_is_lost() {
    let world = World::new().await;
    world.push("fix", "score 3").await;
    world.script.0.lock().unwrap().verdict = Some("disk full");
    world.rest().await;
    assert_eq!(world.store.queue_length().await.unwrap(), 1);
    world.script.0.lock().unwrap().verdict = None;
    world.clock.advance(BACKOFF * 2);
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn regrade_posts_only_what_is_different() {
    let world = World::new().await;
    world.push("fix", "score 3").await;
    world.rest().await;
    world.say("/regrade").await;
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 1);
    world.script.0.lock().unwrap().verdict = Some("score 4");
    world.say("/regrade").await;
    world.rest().await;
    assert_eq!(world.bodies().await, ["score 3; attempt 1; skipped ", "score 4; attempt 1; skipped "]);
    let answers = world.answers().await;
    assert!(answers[0].contains("with the same result"), "{answers:?}");
    assert!(answers[1].contains("the result changed"), "{answers:?}");
    assert_eq!(world.lines(), 2);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn regrade_of_a_closed_pull_request_says_how_to_open_it() {
    let world = World::new().await;
    world.push("fix", "score 3").await;
    world.rest().await;
    world.delete("fix").await;
    world.say("/regrade").await;
    world.rest().await;
    let answers = world.answers().await;
    assert!(answers[0].contains("git push origin fix"), "{answers:?}");
    assert_eq!(world.script.0.lock().unwrap().requests.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn talk_is_not_answered_and_every_command_is() {
    let world = World::new().await;
    world.push("fix", "score 3").await;
    for body in ["thanks", "> /hint", "/hnit", "/explain", "/hint nothing"] {
        world.say(body).await;
    }
    world.rest().await;
    let answers = world.answers().await;
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert!(answers[0].contains("Did you mean `/hint`?"), "{answers:?}");
    world.rest().await;
    assert_eq!(world.answers().await.len(), 3);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn commands_that_are_too_many_are_taken_again_when_their_time_has_come() {
    use crate::reconcile::allowance::{COMMANDS, WINDOW};
    let world = World::new().await;
    world.push("fix", "score 3").await;
    for _ in 0..COMMANDS + 30 {
        world.say("/progress").await;
    }
    world.rest().await;
    let most = COMMANDS as usize + 1;
    assert_eq!(world.answers().await.len(), most);
    world.clock.advance(WINDOW - Duration::from_secs(1));
    world.say("/progress").await;
    world.rest().await;
    assert_eq!(world.answers().await.len(), most, "answered already");
    world.clock.advance(Duration::from_secs(1));
    world.say("/progress").await;
    world.rest().await;
    assert_eq!(world.answers().await.len(), most + 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn only_the_owner_of_a_pull_request_commands_there() {
    let world = World::new().await;
    world.push("fix", "score 3").await;
    let pull = world.forge().pull(PullNumber(1)).await.unwrap().unwrap();
    world.forge().comment(&pull, &"eve".parse().unwrap(), "/regrade").await.unwrap();
    world.rest().await;
    assert!(world.answers().await[0].starts_with("Only `ada`"));
    assert_eq!(world.script.0.lock().unwrap().requests.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test]
async fn a_push_calls_off_the_grading_of_the_head_before() {
    let world = World::new().await;
    let old = world.push("fix", "score 1").await;
    world.script.0.lock().unwrap().stalls = true;
    let worker = world.worker();
    let pushed = async {
        while world.script.0.lock().unwrap().requests.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.push("fix", "score 3").await
    };
    let (worked, _) = tokio::join!(worker.work_one(), pushed);
    worked.unwrap();
    world.rest().await;
    let bodies = world.bodies().await;
    assert_eq!(bodies, [format!("score 3; attempt 1; skipped {}", old.short())]);
    assert!(world.script.0.lock().unwrap().cancelled[0].yes());
}

#[tokio::test]
async fn one_go_answers_what_it_was_asked_for_and_says_what_is_left() {
    use crate::reconcile::once::{Done, Outcome, Wanted, Why};
    let world = World::new().await;
    let until = |seconds| world.clock.now().plus(Duration::from_secs(seconds));
    let one = Wanted::One(PullNumber(1));
    let gone = world.worker().once(one, until(1)).await.unwrap();
    assert_eq!(gone.iter().map(|outcome| outcome.done).collect::<Vec<_>>(), [Done::Gone]);

    let head = world.push("fix", "score 3").await;
    let expected = |done| Outcome {
        number: PullNumber(1),
        head: Some(head.clone()),
        done,
        said: Some("score 3".to_owned()),
        replied: false,
    };
    assert_eq!(world.worker().once(one, until(1)).await.unwrap(), [expected(Done::Answered)]);
    assert_eq!(world.worker().once(one, until(1)).await.unwrap(), [expected(Done::Standing)]);
    assert_eq!(world.bodies().await.len(), 1);
    world.say("/progress").await;
    let replied = Outcome { replied: true, ..expected(Done::Standing) };
    assert_eq!(world.worker().once(one, until(1)).await.unwrap(), [replied]);

    world.push("fix", "inconclusive").await;
    let left = world.worker().once(Wanted::Since(Time(0)), until(1)).await.unwrap();
    assert_eq!(left[0].done, Done::Left(Why::Provisional));
    world.push("fix", "the grader breaks").await;
    let left = world.worker().once(Wanted::Since(Time(0)), until(1)).await.unwrap();
    assert_eq!(left[0].done, Done::Left(Why::Failed(1)));
    world.push("fix", "score 4").await;
    let left = world.worker().once(one, until(0)).await.unwrap();
    assert_eq!(left[0].done, Done::Left(Why::Time), "nothing is begun when the time is over");
}

/// Of checkpoint `c` in task `first`, an hour from the world's time on.
fn quarantine(world: &World) -> crate::gradebook::decision::Decision {
    use crate::gradebook::decision::kinds::{Instructor, Metadata, QuarantineFile, QuarantineSpec};
    use crate::gradebook::decision::when::Moment;
    let author = Instructor { id: None, login: crate::forge::pull::Login("grace".into()) };
    let spec = QuarantineSpec {
        course: world.course.clone(),
        task: "first".parse().unwrap(),
        checkpoint: "c".parse().unwrap(),
        until: Moment(world.clock.now().plus(Duration::from_secs(3600))),
        reason: "wrong port".parse().unwrap(),
        lifted: None,
    };
    let metadata = Metadata { author, at: Moment(world.clock.now()), pull: None };
    crate::gradebook::decision::Decision::Quarantine(QuarantineFile::new(metadata, spec))
}

#[tokio::test]
async fn a_quarantine_takes_a_failure_back_at_once_and_its_end_judges_again() {
    for ends in ["lifted", "over"] {
        let world = World::new().await;
        let head = world.push("fix", "score 1").await;
        world.rest().await;
        assert_eq!(world.status(&head).await.state, StatusState::Failure);
        let gradebook = Gradebook::new(world.data.gradebook());
        let files = gradebook.decide(&[quarantine(&world)]).unwrap();
        let worker = world.worker();
        worker.sweep(None).await.unwrap();
        while worker.work_one().await.unwrap() {}
        assert_eq!(world.status(&head).await.state, StatusState::Error, "{ends}");
        let gradings = world.script.0.lock().unwrap().requests.len();
        assert_eq!(gradings, 2, "graded again, once");
        if ends == "lifted" {
            std::fs::remove_file(world.data.gradebook().join(&files[0])).unwrap();
            worker.sweep(None).await.unwrap();
        } else {
            world.clock.advance(Duration::from_secs(3599));
            while worker.work_one().await.unwrap() {}
            assert_eq!(world.status(&head).await.state, StatusState::Error, "not a moment earlier");
            world.clock.advance(Duration::from_secs(1));
        }
        while worker.work_one().await.unwrap() {}
        assert_eq!(world.status(&head).await.state, StatusState::Failure, "{ends}");
        assert_eq!(world.bodies().await.len(), 1, "the review said so already");
        world.assert_at_rest().await;
    }
}

/// `a` failed and was answered, `b` was pushed, a quarantine began, and `a` is back: told so by a provisional review.
async fn back_in_quarantine() -> (World, CommitId, String) {
    let world = World::new().await;
    let first = world.push("fix", "score 1").await;
    world.rest().await;
    world.push("fix", "score 4").await;
    world.rest().await;
    let files = Gradebook::new(world.data.gradebook()).decide(&[quarantine(&world)]).unwrap();
    world.clock.advance(Duration::from_secs(1));
    let id = git2::Oid::from_str(first.as_str()).unwrap();
    world.repository().reference("refs/heads/fix", id, true, "force").unwrap();
    world.tell("fix", Some(&first)).await;
    world.rest().await;
    (world, first, files[0].clone())
}

#[tokio::test]
async fn a_head_that_comes_back_into_a_quarantine_is_our_error_too() {
    let (world, first, _) = back_in_quarantine().await;
    assert_eq!(world.status(&first).await.state, StatusState::Error);
    assert_eq!(world.bodies().await.len(), 3, "and a review says so");
    let gradings = world.script.0.lock().unwrap().requests.len();
    world.rest().await;
    assert_eq!(world.script.0.lock().unwrap().requests.len(), gradings, "judged again once");
}

#[tokio::test]
async fn a_provisional_review_does_not_stay_the_last_word_where_an_earlier_one_is_final() {
    for crash in [false, true] {
        let (world, first, file) = back_in_quarantine().await;
        std::fs::remove_file(world.data.gradebook().join(file)).unwrap();
        world.worker().sweep(None).await.unwrap();
        if crash {
            let worker = world.worker().with_probe(Arc::new(StopAt(Mutex::new(Some(Point::Intended)))));
            worker.work_one().await.unwrap_err();
            world.store.break_leases().await.unwrap();
        }
        world.rest().await;
        let bodies = world.bodies().await;
        assert_eq!(bodies.len(), 3, "the same result has one review: {bodies:?}");
        let expected = format!(
            "No longer provisional: the final result of `{}` is that of its earlier review. score 1.",
            first.short()
        );
        assert_eq!((bodies[0].as_str(), &bodies[2]), ("score 1; attempt 1; skipped ", &expected));
        assert_eq!(world.status(&first).await.state, StatusState::Failure);
        world.assert_at_rest().await;
    }
}

#[tokio::test]
async fn regrade_in_a_quarantine_and_right_after_it_promises_no_review_that_never_comes() {
    let world = World::new().await;
    world.push("fix", "score 1").await;
    world.rest().await;
    let gradebook = Gradebook::new(world.data.gradebook());
    let files = gradebook.decide(&[quarantine(&world)]).unwrap();
    world.say("/regrade").await;
    world.rest().await;
    std::fs::remove_file(world.data.gradebook().join(&files[0])).unwrap();
    world.say("/regrade").await;
    world.rest().await;
    let answers = world.answers().await;
    assert!(answers[0].contains("a review follows when the final result is another one"), "{answers:?}");
    assert!(answers[1].contains("the result is that of its earlier review"), "{answers:?}");
    assert_eq!(world.bodies().await.len(), 1);
}

#[tokio::test]
async fn a_push_into_a_quarantine_is_told_so_in_its_first_review() {
    let world = World::new().await;
    Gradebook::new(world.data.gradebook()).decide(&[quarantine(&world)]).unwrap();
    world.push("fix", "score 1").await;
    world.rest().await;
    assert_eq!(world.bodies().await.len(), 1, "at once, without waiting for retries that change nothing");
    world.push("pass", "score 4").await;
    world.rest().await;
    let passed = world.forge().reviews(PullNumber(2)).await.unwrap();
    assert_eq!(passed.len(), 1);
    let book = Gradebook::new(world.data.gradebook()).book(&world.learner).unwrap();
    assert!(book.record(&world.course, &"first".parse().unwrap()).unwrap().passed(), "a pass stays a pass");
}
