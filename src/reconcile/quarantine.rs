//! Quarantines in force; and what is graded again when one begins or ends, or when the course that it waits for is served.

use std::sync::{Mutex, PoisonError};

use super::grader::{Grader, Grading};
use super::run::{Reconciler, Result};
use crate::checkpoint::outcome::Outcome;
use crate::forge::Forge;
use crate::forge::pull::{PullKey, PullState};
use crate::grade::quarantine::{Quarantine, is_quarantined};
use crate::grade::report::{CheckpointResult, Report};
use crate::gradebook::decision::Decisions;
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// The quarantines that gradings were last compared with; none after a start.
#[derive(Debug, Default)]
pub(super) struct Followed(Mutex<Option<Vec<Quarantine>>>);

impl Followed {
    /// Whether these are news: told to one worker only.
    fn take(&self, now: &[Quarantine]) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = known.as_deref() != Some(now);
        if news {
            *known = Some(now.to_vec());
        }
        news
    }

    /// It could not be done: to be tried again.
    fn give_back(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What the decisions say about checkpoints that are not trusted at a time.
pub fn in_force(decisions: &Decisions, now: Time) -> Vec<Quarantine> {
    let plain = |spec: &crate::gradebook::decision::kinds::QuarantineSpec| Quarantine {
        course: spec.course.clone(),
        task: spec.task.clone(),
        checkpoint: spec.checkpoint.clone(),
        until: spec.until.0,
        reason: spec.reason.as_str().to_owned(),
    };
    decisions.quarantines(now).map(|(_, spec)| plain(spec)).collect()
}

/// Whether a grading was made with other quarantines than these, and it shows.
fn differs(grading: &Grading, quarantines: &[Quarantine]) -> bool {
    let differs = |report: &Report, result: &CheckpointResult| {
        let begun = quarantines.iter().any(|quarantine| quarantine.bites(report, result));
        // Those that only build on it are `inconclusive`.
        let held = is_quarantined(result) && result.outcome == Outcome::Error;
        begun || (held && !quarantines.iter().any(|quarantine| quarantine.covers(report, result)))
    };
    let reports = || grading.tasks.iter().map(|task| &task.report);
    reports().any(|report| report.checkpoints.iter().any(|result| differs(report, result)))
}

impl<F: Forge, G: Grader> Reconciler<F, G> {
    /// Whether a head that comes back was graded with other quarantines than those of now: while it was away nobody
    /// followed it.
    pub(super) async fn outdated(&self, key: &PullKey, head: &CommitId, now: Time) -> Result<bool> {
        let quarantines = in_force(self.gradebook.decisions()?.as_ref(), now);
        let grading = self.store.grading::<Grading>(key, head).await?;
        Ok(grading.is_some_and(|grading| differs(&grading, &quarantines)))
    }

    /// Has everything graded again that a quarantine that began or was lifted concerns, behind what learners wait for; at
    /// the start also what waits for the course as it is served now. One that comes to its end needs no look: gradings
    /// know it.
    pub(super) async fn follow_quarantines(&self) -> Result<()> {
        let now = self.clock.now();
        let quarantines = in_force(self.gradebook.decisions()?.as_ref(), now);
        if !self.followed.take(&quarantines) {
            return Ok(());
        }
        let followed = self.follow(&quarantines, now).await;
        if followed.is_err() {
            self.followed.give_back();
        }
        followed
    }

    async fn follow(&self, quarantines: &[Quarantine], now: Time) -> Result<()> {
        for known in self.store.known(self.forge.workspace()).await? {
            if known.state != PullState::Open {
                continue;
            }
            let key = PullKey { workspace: self.forge.workspace().clone(), number: known.number };
            let Some(grading) = self.store.grading::<Grading>(&key, &known.head).await? else { continue };
            let state = self.store.grading_state(&key, &known.head).await?;
            let served = self.grader.course(&grading.course.id).map(|course| course.reference.revision.clone());
            match state.and_then(|state| state.wanted) {
                Some(wanted) if Some(&wanted) == served.as_ref() => {
                    self.store.grade_with(&key, &known.lane, &known.head, &wanted, now).await?;
                }
                _ if differs(&grading, quarantines) => {
                    self.store.grade_again(&key, &known.lane, &known.head, now).await?;
                }
                _ => continue,
            }
            self.pulse.wake();
        }
        Ok(())
    }
}
