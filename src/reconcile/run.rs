//! Workers: claim, observe, decide, act, until a pull request is at rest.
//!
//! Triggers: a hint in the queue, the timer of a postponed entry, another worker's wake-up. Races: a push while grading
//! (the head is looked at again before the grading is written down and again before it is posted; what is late is
//! superseded), two workers on one pull request (the lease; and should it expire, the journal's and the forge's unique
//! keys), two pull requests of one learner (the lane). What may be lost in a crash: a grading that was not written down,
//! which is done again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::alert::alert;
use super::cancel::CancelOnDrop;
use super::decide::{HumanReview, Observed, Step, decide};
use super::grader::{GradeError, Grader, Grading, Objects, Request};
use super::policy::{Admission, LivePolicy};
use super::probe::{NoProbe, Point, Probe, Stopped};
use super::pulse::{Pulse, What};
use super::quarantine::Followed;
use super::record;
use crate::forge::pull::{Marker, Pull, PullKey, PullNumber, PullState};
use crate::forge::{ErrorClass, Forge, ForgeError};
use crate::grade::digest::OutcomeDigest;
use crate::gradebook::book::Book;
use crate::gradebook::entry::Entry;
use crate::gradebook::{Gradebook, GradebookError};
use crate::store::heads::SeenHead;
use crate::store::journal::{Graded, Intent, JournalEntry, JournalId, JournalState};
use crate::store::queue::{Claim, LEASE};
use crate::store::time::{Clock, Time};
use crate::store::{Store, StoreError};
use crate::submission::sha::CommitId;

/// Longest sleep of a worker: in case another process put something into the queue.
const LOOK_AROUND: Duration = Duration::from_secs(5);

/// First wait after a failure; doubles up to [`MAX_BACKOFF`].
const BACKOFF: Duration = Duration::from_secs(2);

/// Longest wait after failures in a row.
const MAX_BACKOFF: Duration = Duration::from_secs(600);

/// How often a running grading looks whether a push came: what it judges then is thrown away.
const LOOK_FOR_PUSH: Duration = Duration::from_secs(1);

/// How often a grading that takes long says that somebody is still at it: environments take their time.
const RENEW: Duration = Duration::from_secs(60);

/// How often one tries again whether a cluster is free: whoever gives one back has it tried at once, but another daemon may lend
/// them, too, and an operator may add one.
const LOOK_FOR_CLUSTER: Duration = Duration::from_secs(900);

/// Most steps in one go: a push with fifty comments takes some hundred, more means that a step has no effect.
const MAX_STEPS: usize = 1000;

/// Everything a worker uses.
pub struct Reconciler<F, G> {
    pub(super) forge: F,
    pub(super) grader: G,
    pub(super) store: Store,
    pub(super) gradebook: Arc<Gradebook>,
    pub(super) followed: Followed,
    pub(super) policy: LivePolicy,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pulse: Pulse,
    pub(super) probe: Arc<dyn Probe>,
}

/// A pull request could not be brought to rest.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// About the database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// About the forge.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// About the gradebook.
    #[error(transparent)]
    Gradebook(#[from] GradebookError),
    /// The head could not be graded.
    #[error("cannot grade: {0}")]
    Grade(#[source] GradeError),
    /// A defect of ours.
    #[error("{0} steps and no rest")]
    Restless(usize),
    /// A test stops here.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

pub(super) type Result<T> = std::result::Result<T, ReconcileError>;

/// How a pull request was left.
enum Left {
    AtRest,
    Until(Time),
}

impl<F: Forge, G: Grader> Reconciler<F, G> {
    /// A worker's tools.
    pub fn new(
        forge: F,
        grader: G,
        store: Store,
        gradebook: Arc<Gradebook>,
        policy: LivePolicy,
        clock: Arc<dyn Clock>,
        pulse: Pulse,
    ) -> Self {
        Self {
            forge,
            grader,
            store,
            gradebook,
            followed: Followed::default(),
            policy,
            clock,
            pulse,
            probe: Arc::new(NoProbe),
        }
    }

    /// With a probe at each point where a crash may hit.
    pub fn with_probe(self, probe: Arc<dyn Probe>) -> Self {
        Self { probe, ..self }
    }

    /// Works until `stop` says so; what was begun is finished.
    pub async fn work(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow_and_update() {
            match self.work_one().await {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(error) = self.follow_quarantines().await {
                        tracing::error!(%error, "cannot look for quarantines");
                    }
                    let wait = self.until_due().await;
                    tokio::select! {
                        () = self.pulse.woken() => {}
                        () = tokio::time::sleep(wait) => {}
                        _ = stop.changed() => {}
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the queue cannot be used; trying again");
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    }

    async fn until_due(&self) -> Duration {
        let room = self.forge.write_room().await.unwrap_or_default();
        let due = self.store.next_due(self.forge.workspace(), room).await.ok().flatten();
        due.map_or(LOOK_AROUND, |due| due.since(self.clock.now()).clamp(Duration::from_millis(10), LOOK_AROUND))
    }

    /// Takes one entry of the queue and brings its pull request to rest. False when nothing is due.
    pub async fn work_one(&self) -> Result<bool> {
        let room = self.forge.write_room().await?;
        let Some(claim) = self.store.claim(self.forge.workspace(), self.clock.now(), room).await? else {
            return Ok(false);
        };
        // There may be more than this.
        self.pulse.wake();
        let left = match self.reconcile(&claim.key).await {
            Err(ReconcileError::Stopped(stopped)) => return Err(stopped.into()),
            left => left,
        };
        if let Err(error) = self.give_back(&claim, left).await {
            self.insist(&claim, &error).await;
        }
        Ok(true)
    }

    async fn give_back(&self, claim: &Claim, left: Result<Left>) -> Result<()> {
        match left {
            Ok(Left::AtRest) => Ok(self.store.finish(claim).await?),
            Ok(Left::Until(at)) => Ok(self.store.postpone(claim, at, 0).await?),
            Err(ReconcileError::Forge(ForgeError { class: ErrorClass::Throttled(_), .. })) => {
                Ok(self.store.await_write(claim).await?)
            }
            // Look again at once: whatever it is now is seen there. Counted, so that it cannot go on for ever.
            Err(ReconcileError::Forge(ForgeError { class: ErrorClass::Superseded, .. })) => {
                Ok(self.store.postpone(claim, self.clock.now(), claim.failures.saturating_add(1)).await?)
            }
            Err(error) => self.failed(claim, &error).await,
        }
    }

    /// Gives an entry back that the store did not take back, because its disk is full for one, as soon as it does: until the
    /// lease ends nobody else takes it, nor anything else of its learner.
    async fn insist(&self, claim: &Claim, error: &ReconcileError) {
        let until = tokio::time::Instant::now() + LEASE;
        tracing::error!(pull = %claim.key, %error, "the queue cannot be written; trying again");
        while tokio::time::Instant::now() < until {
            tokio::time::sleep(BACKOFF).await;
            if self.store.postpone(claim, self.clock.now(), claim.failures).await.is_ok() {
                return;
            }
        }
    }

    async fn failed(&self, claim: &Claim, error: &ReconcileError) -> Result<()> {
        let failures = claim.failures.saturating_add(1);
        let now = self.clock.now();
        let at = now.plus(backoff(claim.failures, now, claim.key.number));
        tracing::error!(pull = %claim.key, %error, failures, "cannot reconcile; trying again at {at}");
        Ok(self.store.postpone(claim, at, failures).await?)
    }

    async fn reconcile(&self, key: &PullKey) -> Result<Left> {
        self.probe.pass(Point::Claimed)?;
        for _ in 0..MAX_STEPS {
            let mut seen = self.observe(key).await?;
            let mut step = decide(&seen);
            if step == Step::Listen {
                let after = self.store.cursor(key).await?;
                seen.comments = Some(self.forge.comments_after(key.number, after).await?);
                step = decide(&seen);
            }
            tracing::debug!(pull = %key, ?step, "next");
            match step {
                Step::Rest => {
                    self.leave(key, &seen).await?;
                    return Ok(Left::AtRest);
                }
                Step::Wait(at) => {
                    self.leave(key, &seen).await?;
                    return Ok(Left::Until(at));
                }
                step => self.act(key, &seen, step).await?,
            }
        }
        Err(ReconcileError::Restless(MAX_STEPS))
    }

    async fn observe(&self, key: &PullKey) -> Result<Observed> {
        let policy = self.policy.get();
        let pull = self.forge.pull(key.number).await?;
        let known = self.store.knows(key).await?;
        let journal = self.store.journal(key).await?;
        // Only what is folded waits for it. Before `now`: room that there is at once is no room of later.
        let idle_from = if journal.len() > 1 { self.forge.write_room().await?.backlog } else { Time(0) };
        let now = self.clock.now();
        let mut heads = self.store.heads(key).await?;
        let open = pull.as_ref().filter(|pull| pull.state == PullState::Open);
        if let Some(pull) = open.filter(|pull| known && heads.last().is_none_or(|last| last.head != pull.head)) {
            self.store.see_head(key, &pull.head, pull.updated_at, now).await?;
            heads = self.store.heads(key).await?;
        }
        let admission = match open {
            Some(pull) => {
                let standing =
                    if policy.asks_standing() { Some(self.forge.standing(&pull.author).await?) } else { None };
                policy.admission(&pull.author, standing)
            }
            None => Admission::Admitted,
        };
        let mut grading = match &pull {
            Some(pull) => self.store.grading_state(key, &pull.head).await?,
            None => None,
        };
        if let (Some(pull), Some(grading), Some(last)) = (open, &mut grading, heads.last())
            && last.answered_at.is_none()
            && grading.graded_at < last.seen_at
            && self.outdated(key, &pull.head, now).await?
        {
            grading.again_at = Some(now);
        }
        let human = match (open, &grading) {
            (Some(pull), Some(grading)) if grading.traits.human => self.human_review(key, pull).await?,
            _ => HumanReview::NotAsked,
        };
        let left_waiting = self.store.left_waiting(key, open.map(|pull| &pull.head)).await?;
        let in_doubt = self.store.in_doubt(key).await?;
        let close_after = policy.close_after;
        let course = pull.as_ref().and_then(|pull| self.grader.course(&pull.course));
        let revision = course.map(|course| course.reference.revision.clone());
        Ok(Observed {
            pull,
            known,
            admission,
            heads,
            grading,
            human,
            journal,
            left_waiting,
            in_doubt,
            comments: None,
            close_after,
            idle_from,
            revision,
            now,
        })
    }

    async fn act(&self, key: &PullKey, seen: &Observed, step: Step) -> Result<()> {
        match (step, &seen.pull) {
            (Step::Recall, Some(pull)) => self.recall(key, pull).await,
            (Step::Refuse, Some(pull)) => self.refuse(key, seen, pull).await,
            (Step::Grade, Some(pull)) => self.grade(key, seen, pull).await.map(|_| ()),
            (Step::Settle, Some(pull)) => self.settle(key, seen, pull).await,
            (Step::Post(id), _) => self.post(key, entry(seen, id)).await,
            (Step::Finish(id), Some(pull)) => self.finish(key, seen, pull, entry(seen, id)).await,
            (Step::Supersede(id), _) => Ok(self.store.settle(id, JournalState::Superseded, seen.now).await?),
            (Step::Withdraw(head), Some(pull)) => self.withdraw(key, pull, &head).await,
            (Step::Tidy(until), _) => self.tidy(key, seen, until).await,
            (Step::Answered(_) | Step::Quiet, Some(pull)) => self.answered(key, seen, pull).await,
            (Step::Approve(by), Some(pull)) => self.approve(key, pull, &by).await,
            (Step::Answer(id, command), Some(pull)) => {
                let comment = seen.comments.iter().flatten().find(|comment| comment.id == id);
                self.reply(key, seen, pull, comment.expect("decided on a comment that was seen"), &command).await
            }
            (Step::Skip(id), _) => Ok(self.store.move_cursor(key, id).await?),
            (Step::Retire(id), Some(_)) => self.retire(key, entry(seen, id)).await,
            (Step::Close, Some(pull)) => self.close(key, pull).await,
            // Gone from the forge altogether: nothing can follow any more.
            (Step::Finish(id), None) => Ok(self.store.settle(id, JournalState::Failed, seen.now).await?),
            (_, None) => Ok(()),
            (Step::Listen | Step::Wait(_) | Step::Rest, Some(_)) => Ok(()),
        }
    }

    /// Grades the head and writes down what comes of it. None when the head moved on meanwhile.
    pub(super) async fn grade(&self, key: &PullKey, seen: &Observed, pull: &Pull) -> Result<Option<Grading>> {
        if seen.grading.is_none() {
            self.announce(key, pull).await?;
        }
        let cancel = CancelOnDrop::default();
        let request = Request {
            bot: seen.admission == Admission::Bot,
            cancelled: cancel.watch(),
            pull: pull.clone(),
            objects: self.objects(key, pull).await?,
            pushed_at: seen.heads.last().map_or(pull.updated_at, |head| head.updated_at),
            skipped: skipped(&seen.heads, &pull.head),
            recorded: BTreeMap::new(),
            book: self.gradebook.book(pull.learner())?,
            quarantines: super::quarantine::in_force(self.gradebook.decisions()?.as_ref(), self.clock.now()),
        };
        let grading = tokio::select! {
            grading = self.grader.grade(request) => grading.map_err(ReconcileError::Grade)?,
            moved = self.moved(key, &pull.head) => {
                moved?;
                return Ok(None);
            }
        };
        drop(cancel);
        alert(key, &grading);
        self.probe.pass(Point::Graded)?;
        if !self.still(key, &pull.head).await? {
            return Ok(None);
        }
        let text = serde_json::to_string(&grading)
            .map_err(|source| StoreError::Damaged { what: "a grading", source: source.into() })?;
        let (provisional, digest, now) = (grading.provisional(), grading.digest(), self.clock.now());
        let free = grading.waits_for_a_cluster().then(|| now.plus(LOOK_FOR_CLUSTER));
        let record = record::of_grading(&grading, now);
        let intent = Intent {
            head: &pull.head,
            digest: &digest,
            provisional,
            review: &grading.review,
            record: record.as_deref(),
            up_to: up_to(seen),
        };
        let graded = Graded {
            head: &pull.head,
            revision: &grading.course.revision,
            digest: &digest,
            provisional,
            traits: grading.traits(),
            again_at: grading.again_at.into_iter().chain(free).min(),
            grading: &text,
            intent: (!provisional && !grading.quiet).then_some(intent),
        };
        if !provisional && standing(seen, &pull.head, &digest) {
            // Before it is written down: afterwards nothing leads here again.
            self.stands(key, seen, &pull.head, &grading.review.status).await?;
        }
        self.store.graded(key, &graded, now).await?;
        self.probe.pass(Point::Intended)?;
        if provisional {
            self.status(key, &pull.head, &grading.review.status).await?;
            self.pulse.tell(key.number, What::Provisional(pull.head.clone()));
        }
        Ok(Some(grading))
    }

    async fn objects(&self, key: &PullKey, pull: &Pull) -> Result<Objects> {
        match self.forge.objects(pull).await {
            Ok(repository) => Ok(Objects::Here(repository)),
            // Trying again would not help, and saying nothing would leave the learner waiting.
            Err(error) if error.class == ErrorClass::Permanent => {
                tracing::warn!(pull = %key, head = %pull.head, %error, "told instead of graded");
                Ok(Objects::TooLarge)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ready when a hint came meanwhile and the pull request is not at this head any more.
    async fn moved(&self, key: &PullKey, head: &CommitId) -> Result<()> {
        let mut seen = self.store.hints(key).await?;
        let mut waited = Duration::ZERO;
        loop {
            tokio::time::sleep(LOOK_FOR_PUSH).await;
            waited += LOOK_FOR_PUSH;
            if waited.as_secs().is_multiple_of(RENEW.as_secs()) {
                self.store.renew(key, self.clock.now()).await?;
            }
            let hints = self.store.hints(key).await?;
            if hints != seen && !self.still(key, head).await? {
                return Ok(());
            }
            seen = hints;
        }
    }

    /// Puts the review of a grading that is written down into the journal.
    async fn settle(&self, key: &PullKey, seen: &Observed, pull: &Pull) -> Result<()> {
        let Some(grading) = self.store.grading::<Grading>(key, &pull.head).await? else { return Ok(()) };
        let record = record::of_grading(&grading, seen.now);
        let intent = Intent {
            head: &pull.head,
            digest: &grading.digest(),
            provisional: grading.provisional(),
            review: &grading.review,
            record: record.as_deref(),
            up_to: up_to(seen),
        };
        Ok(self.store.intend(key, &intent, seen.now).await?)
    }

    async fn post(&self, key: &PullKey, entry: &JournalEntry) -> Result<()> {
        let (review, record) = self.store.intended(entry.id).await?;
        if !self.still(key, &entry.head).await? {
            // Seen again at the next look, and superseded there.
            return Ok(());
        }
        self.probe.pass(Point::HeadChecked)?;
        let marker = Marker { record, ..marker(entry) };
        match self.forge.post_review(key.number, &entry.head, &marker, &review).await {
            Ok(review_id) => {
                self.probe.pass(Point::Posted)?;
                self.store.posted(entry.id, &review_id, self.clock.now()).await?;
                self.probe.pass(Point::Journaled)?;
                Ok(())
            }
            Err(error) if error.class == ErrorClass::Permanent => {
                tracing::error!(pull = %key, %error, "the forge will never take this review");
                Ok(self.store.settle(entry.id, JournalState::Failed, self.clock.now()).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Appends to the gradebook of whose pull request it is.
    pub(super) async fn enter(&self, pull: &Pull, entries: Vec<Entry>) -> Result<Arc<Book>> {
        let (gradebook, author) = (self.gradebook.clone(), pull.author.clone());
        Ok(blocking(move || gradebook.append(&author, &entries)).await?)
    }

    /// Whether the pull request is open at exactly this head, asked of the forge just now.
    async fn still(&self, key: &PullKey, head: &CommitId) -> Result<bool> {
        let pull = self.forge.pull(key.number).await?;
        Ok(pull.is_some_and(|pull| pull.state == PullState::Open && pull.head == *head))
    }
}

fn entry(seen: &Observed, id: JournalId) -> &JournalEntry {
    seen.journal.iter().find(|entry| entry.id == id).expect("decided on an entry that was seen")
}

/// Whether a review of this head that tells this stands.
pub(super) fn standing(seen: &Observed, head: &CommitId, digest: &OutcomeDigest) -> bool {
    let of = |entry: &&JournalEntry| entry.head == *head && entry.digest == *digest;
    seen.journal.iter().filter(of).any(|entry| entry.state == JournalState::Done)
}

/// Position of the newest head: a review answers it and all before.
pub(super) fn up_to(seen: &Observed) -> i64 {
    seen.heads.last().map_or(0, |head| head.seq)
}

/// Heads since the last answered one that nobody will grade, oldest first, each once.
fn skipped(heads: &[SeenHead], current: &CommitId) -> Vec<CommitId> {
    let mut skipped: Vec<CommitId> = Vec::new();
    for head in heads.iter().filter(|head| head.answered_at.is_none() && head.head != *current) {
        if !skipped.contains(&head.head) {
            skipped.push(head.head.clone());
        }
    }
    skipped
}

pub(super) fn marker(entry: &JournalEntry) -> Marker {
    Marker::new(format!("{}:{}", entry.head, entry.digest))
}

/// Doubles with each failure; up to a quarter more, so that entries do not come back all at once.
fn backoff(failures: u32, now: Time, number: PullNumber) -> Duration {
    let base = BACKOFF.saturating_mul(1 << failures.min(16)).min(MAX_BACKOFF);
    let jitter = now.0.wrapping_add(number.0.wrapping_mul(7_919)).rem_euclid(1_000);
    base + base / 4 * u32::try_from(jitter).unwrap_or_default() / 1_000
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

#[cfg(test)]
mod tests;
