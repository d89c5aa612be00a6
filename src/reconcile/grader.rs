//! What reconcile needs of a grader, and what it gets: plain values. The real one is [`super::examine::Examiner`]; tests
//! script their own.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cancel::Cancelled;
use super::courses::OpenCourse;
use crate::checkpoint::evidence::{ALL_IN_USE, Evidence};
use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CourseId, TaskId};
use crate::forge::pull::Pull;
use crate::grade::digest::{OutcomeDigest, outcome_digest};
use crate::grade::quarantine::{Quarantine, is_quarantined};
use crate::grade::report::{CheckpointResult, CourseRef, Report};
use crate::gradebook::book::Book;
use crate::review::Review;
use crate::store::journal::Traits;
use crate::store::observations::ObservationId;
use crate::store::time::Time;
use crate::submission::sha::{CommitId, TreeId};

/// A head to be graded.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose, of which course, and which head.
    pub pull: Pull,
    /// Where head and base are.
    pub objects: Objects,
    /// When the head was pushed, by the forge's clock.
    pub pushed_at: Time,
    /// Heads that this one's review answers too, oldest first.
    pub skipped: Vec<CommitId>,
    /// What the learner reached before.
    pub book: Arc<Book>,
    /// Checkpoints that are not trusted now.
    pub quarantines: Vec<Quarantine>,
    /// Gets a status and no review, whatever comes of it.
    pub bot: bool,
    /// What was seen in environments before and is to be judged again, instead of looking there.
    pub recorded: BTreeMap<TaskId, ObservationId>,
    /// Set when the head moved on: what comes of it is thrown away.
    pub cancelled: Cancelled,
}

/// Where the objects of a head are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objects {
    /// In this bare repository.
    Here(PathBuf),
    /// Not here: its history is larger than is taken, and will not become smaller.
    TooLarge,
}

/// What became of a head: kept in the store, the source of pages and answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grading {
    /// What judged.
    pub course: CourseRef,
    /// One per graded task, in the order of the course.
    pub tasks: Vec<GradedTask>,
    /// Tasks whose files passed before.
    pub passed_before: Vec<TaskId>,
    /// The review to post.
    pub review: Review,
    /// The lines for the learner's terminal.
    pub terminal: String,
    /// A draft's: feedback, no attempt.
    #[serde(default)]
    pub practice: bool,
    /// Answered by the status alone.
    #[serde(default)]
    pub quiet: bool,
    /// Tasks that a person has to approve when they are passed.
    #[serde(default)]
    pub human: Vec<TaskId>,
    /// When the first quarantine that matters to it ends: graded again then.
    #[serde(default)]
    pub again_at: Option<Time>,
}

/// One task of a grading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GradedTask {
    /// Git tree hash of the task's directory.
    pub files: TreeId,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// In the instructor's view.
    pub report: Report,
    /// What was seen in its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservationId>,
}

impl Grading {
    /// What was seen in environments, by task.
    pub fn recorded(&self) -> BTreeMap<TaskId, ObservationId> {
        let one = |task: &GradedTask| Some((task.report.task.clone(), task.observed.clone()?));
        self.tasks.iter().filter_map(one).collect()
    }

    /// Something is still open that is not the learner's.
    pub fn provisional(&self) -> bool {
        self.tasks.iter().any(|task| task.report.provisional)
    }

    /// What it tells, for the journal's key. The same outcome as practice and as an attempt tells two things.
    pub fn digest(&self) -> OutcomeDigest {
        let reports: Vec<Report> = self.tasks.iter().map(|task| task.report.clone()).collect();
        let digest = outcome_digest(&reports);
        if self.practice { digest.of_practice() } else { digest }
    }

    /// Every task that was graded passed, and there is one.
    pub fn passed(&self) -> bool {
        !self.tasks.is_empty() && self.tasks.iter().all(|task| task.report.outcome == Outcome::Pass)
    }

    /// Something of it waits for a cluster that somebody else runs, and all are in use.
    pub fn waits_for_a_cluster(&self) -> bool {
        self.tasks.iter().any(|task| waits(&task.report))
    }

    /// What the store keeps beside it.
    pub fn traits(&self) -> Traits {
        let passed = self.passed() && !self.practice;
        let of = |report: &Report| {
            // The others of its task are told that it is for the same reason.
            let waits = waits(report);
            move |result: &CheckpointResult| {
                is_quarantined(result) || (waits && result.outcome == Outcome::Inconclusive)
            }
        };
        let mut provisional = self.tasks.iter().flat_map(|task| {
            let held_up = of(&task.report);
            let provisional = task.report.checkpoints.iter().filter(|result| result.outcome.is_provisional());
            provisional.map(held_up)
        });
        Traits {
            practice: self.practice,
            quiet: self.quiet,
            passed,
            human: passed && !self.human.is_empty(),
            held_up: self.provisional() && provisional.all(|held_up| held_up),
        }
    }
}

/// Whether a task waits for a cluster.
fn waits(report: &Report) -> bool {
    let told = |evidence: &Evidence| evidence.operator.as_deref() == Some(ALL_IN_USE);
    report.checkpoints.iter().any(|result| result.evidence.iter().any(told))
}

/// A head could not be graded; later may be better.
pub type GradeError = Box<dyn std::error::Error + Send + Sync>;

/// Grades heads.
pub trait Grader: Send + Sync + 'static {
    /// Grades a head. What is wrong with the work is in the grading; an error means that nothing could be said.
    fn grade(&self, request: Request) -> impl Future<Output = Result<Grading, GradeError>> + Send;

    /// A course that is served.
    fn course(&self, id: &CourseId) -> Option<Arc<OpenCourse>>;
}
