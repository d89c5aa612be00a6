//! What follows from a verdict: status, gradebook, labels, folding, a person's approval, closing. Each part may be done
//! twice, and a part that the forge will never take does not stop the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::decide::{HumanReview, Observed};
use super::grader::{GradedTask, Grader, Grading};
use super::policy::Labels;
use super::probe::Point;
use super::pulse::What;
use super::run::{ReconcileError, Reconciler, Result, marker, up_to};
use crate::checkpoint::outcome::Outcome;
use crate::course::id::TaskId;
use crate::forge::pull::{Author, Label, Marker, PostedReview, Pull, PullKey, ReviewState, Standing, User};
use crate::forge::{ErrorClass, Forge, ForgeError, StatusBefore};
use crate::gradebook::book::Book;
use crate::gradebook::entry::{Approval, Entry, Verdict};
use crate::review::{Status, StatusState, safe};
use crate::store::journal::{JournalEntry, JournalState};
use crate::store::statuses::Shown;
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// The status of what was closed before it was graded to the end.
pub const CLOSED_FIRST: &str = "No final result: the pull request was closed first";

/// Labels that begin like this are ours: what we do not want of them is taken away.
const OURS: [&str; 2] = ["gradus/", "task/"];

impl<F: Forge, G: Grader> Reconciler<F, G> {
    /// Says that a push was seen. No more than a courtesy: without room for it the grading goes on.
    pub(super) async fn announce(&self, key: &PullKey, pull: &Pull) -> Result<()> {
        if self.store.grading_state(key, &pull.head).await?.is_some() {
            // We stood still for longer than our lease, and another worker is further than this.
            return Ok(());
        }
        let length = self.store.queue_ahead(&key.workspace, self.clock.now()).await?;
        match self.show(key, &pull.head, &waiting(length)).await {
            Err(ReconcileError::Forge(ForgeError {
                class: ErrorClass::Throttled(_) | ErrorClass::Permanent, ..
            })) => Ok(()),
            other => other,
        }
    }

    /// Sets the status of a head.
    pub(super) async fn status(&self, key: &PullKey, head: &CommitId, status: &Status) -> Result<()> {
        let shown = self.show(key, head, status).await;
        self.once_more(key, shown).await
    }

    /// Has a head show a status. It is noted before it is written: what was written before, and is known to be another one,
    /// needs no look at the forge, and a look that lags must not be believed.
    async fn show(&self, key: &PullKey, head: &CommitId, status: &Status) -> Result<()> {
        let before = match self.store.shown(key, head).await? {
            Some(shown) if !shown.written || shown.status != *status => StatusBefore::Other,
            _ => StatusBefore::Unknown,
        };
        let shown = Shown { status: status.clone(), written: false };
        self.store.show(key, head, &shown).await?;
        self.forge.set_status(key.number, head, status, before).await?;
        if !self.store.showing(key, head, status).await? {
            // Another worker wrote something else meanwhile, and nobody knows which came last.
            self.store.doubt(key, self.clock.now()).await?;
        }
        Ok(())
    }

    /// What the forge does not take is tried once more when what is in doubt is put in order: it refuses what it does not
    /// know yet as it refuses what it will never take.
    async fn once_more(&self, key: &PullKey, result: Result<()>) -> Result<()> {
        match result {
            Err(ReconcileError::Forge(error)) if error.class == ErrorClass::Permanent => {
                tracing::warn!(pull = %key, %error, "tried once more later");
                self.store.doubt(key, self.clock.now()).await?;
                Ok(())
            }
            other => other,
        }
    }

    /// Puts in order what writes may have left whose answers never came: they have arrived by now, or never will.
    pub(super) async fn tidy(&self, key: &PullKey, seen: &Observed, until: Time) -> Result<()> {
        tolerated(key, self.forge.tidy(key.number).await)?;
        if let Some(pull) = &seen.pull {
            if let Some(shown) = self.store.shown(key, &pull.head).await? {
                match self.show(key, &pull.head, &shown.status).await {
                    Err(ReconcileError::Forge(error)) => tolerated(key, Err(error))?,
                    other => other?,
                }
            }
            let answered = seen.heads.last().is_some_and(|head| head.answered_at.is_some());
            if let Some(grading) = self.store.grading::<Grading>(key, &pull.head).await?.filter(|_| answered) {
                let book = self.gradebook.book(pull.learner())?;
                tolerated(key, self.labels(pull, &grading, &book, seen.human.clone()).await)?;
            }
        }
        Ok(self.store.doubts_settled(key, until).await?)
    }

    /// Does what follows from a review that stands.
    pub(super) async fn finish(&self, key: &PullKey, seen: &Observed, pull: &Pull, entry: &JournalEntry) -> Result<()> {
        let (review, _) = self.store.intended(entry.id).await?;
        if !entry.provisional {
            let line = format!("Provisional; the final result of `{}` is in the newer review.", entry.head.short());
            self.point_on(key, seen, &entry.head, &line).await?;
        }
        self.status(key, &entry.head, &review.status).await?;
        self.probe.pass(Point::StatusSet)?;
        let now = self.clock.now();
        if let Some(grading) = self.store.grading::<Grading>(key, &entry.head).await? {
            let book = self.note(key, pull, &entry.head, &grading).await?;
            if pull.head == entry.head {
                self.label(key, pull, &grading, &book, HumanReview::Due).await?;
            }
        }
        self.probe.pass(Point::Recorded)?;
        self.store.answer_heads(key, entry.up_to, now).await?;
        self.probe.pass(Point::Answered)?;
        self.store.settle(entry.id, JournalState::Done, now).await?;
        self.pulse.tell(key.number, What::Answered(entry.head.clone()));
        self.probe.pass(Point::Closed)?;
        Ok(())
    }

    /// Writes the verdicts of a grading into the gradebook. Practice leaves nothing there.
    async fn note(&self, key: &PullKey, pull: &Pull, head: &CommitId, grading: &Grading) -> Result<Arc<Book>> {
        if grading.practice {
            return Ok(self.gradebook.book(pull.learner())?);
        }
        let now = self.clock.now();
        let verdict = |task: &GradedTask| {
            Entry::Verdict(Verdict::of(&task.report, key.to_string(), head.clone(), task.files.clone(), now))
        };
        let book = self.enter(pull, grading.tasks.iter().map(verdict).collect()).await?;
        for task in &grading.tasks {
            self.store.keep_report(pull.learner(), &pull.course, task.attempt, &task.report).await?;
        }
        Ok(book)
    }

    /// A final result whose review stands already, from before something could not be judged: nothing is posted, but what
    /// was told meanwhile is not what counts any more.
    pub(super) async fn stands(&self, key: &PullKey, seen: &Observed, head: &CommitId, status: &Status) -> Result<()> {
        let line = format!(
            "No longer provisional: the final result of `{}` is that of its earlier review. {}.",
            head.short(),
            safe::md(&status.description)
        );
        self.point_on(key, seen, head, &line).await?;
        self.status(key, head, status).await
    }

    /// Shortens provisional reviews of a head to one line that points at the final one.
    async fn point_on(&self, key: &PullKey, seen: &Observed, head: &CommitId, line: &str) -> Result<()> {
        let waiting: Vec<String> = seen
            .journal
            .iter()
            .filter(|other| other.provisional && other.head == *head && other.state == JournalState::Done)
            .map(|other| marker(other).key)
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        for posted in self.forge.reviews(key.number).await? {
            let ours = posted.marker.as_ref().is_some_and(|marker| waiting.contains(&marker.key));
            if ours && posted.body.trim() != line {
                tolerated(key, self.forge.edit_review(key.number, &posted, line).await)?;
            }
        }
        Ok(())
    }

    /// The head was here before and its review stands, or it asks for no review: a status answers it.
    pub(super) async fn answered(&self, key: &PullKey, seen: &Observed, pull: &Pull) -> Result<()> {
        let Some(grading) = self.store.grading::<Grading>(key, &pull.head).await? else { return Ok(()) };
        // An approval by a person changed it since.
        let shown = self.store.shown(key, &pull.head).await?.filter(|_| seen.human == HumanReview::Recorded);
        let status = shown.map_or_else(|| grading.review.status.clone(), |shown| shown.status);
        self.status(key, &pull.head, &status).await?;
        if !grading.quiet {
            // They tell of the head that was here in between.
            let book = self.gradebook.book(pull.learner())?;
            self.label(key, pull, &grading, &book, seen.human.clone()).await?;
        }
        self.store.answer_heads(key, up_to(seen), seen.now).await?;
        self.pulse.tell(key.number, What::Answered(pull.head.clone()));
        Ok(())
    }

    /// Tells somebody who is not graded that it is so: one comment, and a status for each head.
    pub(super) async fn refuse(&self, key: &PullKey, seen: &Observed, pull: &Pull) -> Result<()> {
        let text = format!(
            "Thank you for your pull request, {}. This workspace grades invited learners only, and you are not among \
             them, so nothing was graded. If you should be, ask the people who run the course to invite you, then push \
             again.",
            safe::md(&pull.author.login.0)
        );
        self.forge.post_comment(key.number, &Marker::new("refused"), &text).await?;
        let status = Status { state: StatusState::Error, description: "Not graded: invited learners only".to_owned() };
        self.status(key, &pull.head, &status).await?;
        self.store.answer_heads(key, up_to(seen), seen.now).await?;
        Ok(())
    }

    /// Labels a pull request by what is known of it.
    async fn label(
        &self,
        key: &PullKey,
        pull: &Pull,
        grading: &Grading,
        book: &Book,
        human: HumanReview,
    ) -> Result<()> {
        let labelled = self.labels(pull, grading, book, human).await;
        self.once_more(key, labelled.map_err(Into::into)).await
    }

    async fn labels(
        &self,
        pull: &Pull,
        grading: &Grading,
        book: &Book,
        human: HumanReview,
    ) -> std::result::Result<(), ForgeError> {
        if self.policy.get().labels == Labels::None {
            return Ok(());
        }
        let wanted = labels(grading, book, &human);
        let ours = |label: &&Label| OURS.iter().any(|prefix| label.0.starts_with(prefix));
        let stale: BTreeSet<Label> = pull.labels.iter().filter(ours).filter(|l| !wanted.contains(l)).cloned().collect();
        self.forge.set_labels(pull, &wanted, &stale).await
    }

    /// Whether a person's review of the head is there.
    pub(super) async fn human_review(&self, key: &PullKey, pull: &Pull) -> Result<HumanReview> {
        let Some(grading) = self.store.grading::<Grading>(key, &pull.head).await? else {
            return Ok(HumanReview::Due);
        };
        let book = self.gradebook.book(pull.learner())?;
        let asked: Vec<&GradedTask> =
            grading.tasks.iter().filter(|task| grading.human.contains(&task.report.task)).collect();
        if asked.iter().all(|task| book.approved(&pull.course, &task.report.task, &task.files)) {
            return Ok(HumanReview::Recorded);
        }
        for posted in self.forge.reviews(key.number).await?.iter().rev() {
            let Author::Person(who) = &posted.author else { continue };
            // It holds for the files that they saw: of this head, or of one that was graded with the same files.
            if posted.state == ReviewState::Approved
                && self.saw(key, posted, &asked).await?
                && self.forge.standing(who).await? == Standing::Instructor
            {
                return Ok(HumanReview::Approved(who.clone()));
            }
        }
        Ok(HumanReview::Due)
    }

    async fn saw(&self, key: &PullKey, posted: &PostedReview, asked: &[&GradedTask]) -> Result<bool> {
        let Some(then) = self.store.grading::<Grading>(key, &posted.head).await? else { return Ok(false) };
        let same = |task: &&GradedTask| {
            then.tasks.iter().any(|other| other.report.task == task.report.task && other.files == task.files)
        };
        Ok(asked.iter().all(same))
    }

    /// Writes down that an instructor approved what passed.
    pub(super) async fn approve(&self, key: &PullKey, pull: &Pull, by: &User) -> Result<()> {
        let Some(grading) = self.store.grading::<Grading>(key, &pull.head).await? else { return Ok(()) };
        let approval = |task: &GradedTask| {
            Entry::Approval(Approval {
                at: self.clock.now(),
                pull: key.to_string(),
                course: pull.course.clone(),
                task: task.report.task.clone(),
                files: task.files.clone(),
                by: by.clone(),
            })
        };
        let asked = grading.tasks.iter().filter(|task| grading.human.contains(&task.report.task));
        let approvals = asked.map(approval).collect();
        let login = safe::plain(&by.login.0, 60);
        let description = format!("Passed, and approved by {login}");
        self.status(key, &pull.head, &Status { state: StatusState::Success, description }).await?;
        let book = self.enter(pull, approvals).await?;
        self.label(key, pull, &grading, &book, HumanReview::Recorded).await
    }

    /// Says on a head that nobody grades any more: what shows a wait must not show it for ever.
    pub(super) async fn withdraw(&self, key: &PullKey, pull: &Pull, head: &CommitId) -> Result<()> {
        let why = if pull.head == *head { CLOSED_FIRST } else { "No final result: a newer push came first" };
        let status = Status { state: StatusState::Failure, description: why.to_owned() };
        match self.show(key, head, &status).await {
            // The commit may be gone with a branch that was pushed over, and each forge says that in its own way: it is not
            // worth to try for ever, and nothing else waits for it.
            Err(ReconcileError::Forge(error)) if !matches!(error.class, ErrorClass::Throttled(_)) => {
                tracing::warn!(pull = %key, %head, %error, "the status stays as it is");
                self.store.showing(key, head, &status).await?;
                Ok(())
            }
            other => other,
        }
    }

    /// Folds a review of ours that a newer one replaces.
    pub(super) async fn retire(&self, key: &PullKey, entry: &JournalEntry) -> Result<()> {
        let posted = PostedReview {
            id: entry.review_id.clone().unwrap_or_default(),
            author: Author::Grader,
            marker: Some(marker(entry)),
            head: entry.head.clone(),
            state: ReviewState::Commented,
            body: String::new(),
            created_at: self.clock.now(),
        };
        match self.forge.retire_review(key.number, &posted).await {
            // Nobody waits for it: a right that is missing is told, and costs no learner the rest.
            Err(error) if error.class == ErrorClass::Config => {
                tracing::warn!(pull = %key, %error, "an older review stays unfolded");
            }
            other => tolerated(key, other)?,
        }
        Ok(self.store.retired(entry.id).await?)
    }

    /// Closes what passed, and says why.
    pub(super) async fn close(&self, key: &PullKey, pull: &Pull) -> Result<()> {
        let text = format!(
            "Passed at `{}` and closed to keep the list short; your score is recorded. To go on here, reopen this pull \
             request and push: it is graded again, and the best score counts.",
            pull.head.short()
        );
        self.forge.post_comment(key.number, &Marker::new(format!("closed:{}", pull.head)), &text).await?;
        Ok(self.forge.close(key.number).await?)
    }

    /// Notes how a pull request is left: what sweeps compare with.
    pub(super) async fn leave(&self, key: &PullKey, seen: &Observed) -> Result<()> {
        match &seen.pull {
            // Something may have happened since without another time: the next sweep looks once more.
            Some(pull) if seen.now.since(pull.updated_at) < self.forge.blur() => {
                Ok(self.store.leave(key, &Pull { updated_at: Time(0), ..pull.clone() }).await?)
            }
            Some(pull) => Ok(self.store.leave(key, pull).await?),
            None => Ok(self.store.leave_vanished(key).await?),
        }
    }
}

/// The status of a push that waits; the wait is what the queue before it takes, at some seconds each.
fn waiting(queued: i64) -> Status {
    let description = match queued {
        ..=20 => "Being graded; usually done within a minute".to_owned(),
        more => format!("Waiting to be graded: {more} pull requests are in the queue"),
    };
    Status { state: StatusState::Pending, description }
}

/// The labels of a graded pull request. `human` matters only for tasks that a person reviews.
fn labels(grading: &Grading, book: &Book, human: &HumanReview) -> BTreeSet<Label> {
    let mut wanted: BTreeSet<Label> = BTreeSet::new();
    let mut add = |text: &str| wanted.insert(Label(text.to_owned()));
    let tasks: Vec<&TaskId> = grading.tasks.iter().map(|graded| &graded.report.task).collect();
    for task in tasks.iter().copied().chain(&grading.passed_before) {
        add(&format!("task/{task}"));
    }
    let traits = grading.traits();
    match human {
        HumanReview::Due | HumanReview::Approved(_) if traits.human => add("gradus/needs-human"),
        _ if traits.passed => add("gradus/passed"),
        _ => false,
    };
    if grading.tasks.iter().flat_map(|graded| &graded.report.checkpoints).any(|c| c.outcome == Outcome::Error) {
        add("gradus/our-error");
    }
    let stuck = |task: &&TaskId| book.record(&grading.course.id, task).is_some_and(|record| !record.stuck().is_empty());
    if !grading.practice && tasks.iter().any(stuck) {
        add("gradus/stuck");
    }
    wanted
}

/// What the forge will never take is logged and left.
fn tolerated(key: &PullKey, result: std::result::Result<(), ForgeError>) -> Result<()> {
    match result {
        Err(error) if error.class == ErrorClass::Permanent => {
            tracing::warn!(pull = %key, %error, "left undone");
            Ok(())
        }
        other => Ok(other?),
    }
}
