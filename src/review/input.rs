//! All that a review is made of.

use std::collections::BTreeMap;

use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CheckpointId, TaskId};
use crate::course::task::Task;
use crate::course::values::Values;
use crate::grade::report::{CourseRef, Report};
use crate::submission::advice::Advice;
use crate::submission::diff::DiffLines;
use crate::submission::scope::{NearMiss, OnMain};
use crate::submission::sha::CommitId;
use crate::submission::upstream::Upstream;

/// All that a review is made of.
#[derive(Debug, Clone)]
pub struct ReviewInput<'a> {
    /// The graded head.
    pub head: &'a CommitId,
    /// What judged it.
    pub course: &'a CourseRef,
    /// One per graded task, in the order of the course.
    pub sections: Vec<Section<'a>>,
    /// Tasks whose files equal a submission that already passed: one folded line.
    pub passed_before: Vec<TaskId>,
    /// Tasks with hidden checkpoints, in a place where nothing may be hidden: not graded there.
    pub refused: Vec<TaskId>,
    /// Changes that missed, with what was probably meant.
    pub near_misses: &'a [NearMiss],
    /// The head is of the branch that follows the workspace.
    pub on_main: Option<&'a OnMain>,
    /// Heads pushed since the last review and superseded by this one, oldest first.
    pub skipped: &'a [CommitId],
    /// Where line comments may stand.
    pub diff: &'a DiffLines,
    /// Drafts are practice: feedback, no attempt.
    pub mode: Mode,
    /// Address of the pull request's page, where there is one.
    pub page: Option<&'a str>,
    /// Where a clone gets the published workspace from.
    pub upstream: &'a Upstream,
    /// What becomes of a pull request that passed.
    pub merging: Merging,
    /// With what passed here, every task of the course is.
    pub finished: Option<Finished<'a>>,
}

/// A course of which every task is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished<'a> {
    /// Address of the page with the learner's progress, where there is one.
    pub page: Option<&'a str>,
}

impl ReviewInput<'_> {
    /// The course, where it is finished, beside the last section that passed: said once.
    pub fn finished_in(&self, section: &Section<'_>) -> Option<Finished<'_>> {
        let last = self.sections.iter().rfind(|one| one.report.outcome == Outcome::Pass)?;
        self.finished.filter(|_| last.report.task == section.report.task)
    }
}

/// What becomes of a pull request that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merging {
    /// Nobody merges it: it lies in the workspace, which all learners share.
    Never,
    /// The learner merges it into a repository of their own: that is their deploy.
    Deploys,
}

/// Whether this head counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Counts as an attempt.
    Graded,
    /// A draft pull request: feedback, no attempt.
    Practice,
}

/// One task of a review.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// With the learner's values filled in.
    pub task: &'a Task,
    /// In the learner's view.
    pub report: &'a Report,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// The report of the attempt before, in the learner's view.
    pub previous: Option<&'a Report>,
    /// For each checkpoint the number of attempts, this one included, in which it was `fail`.
    pub failures: BTreeMap<CheckpointId, u32>,
    /// The learner's values.
    pub values: &'a Values,
    /// Rendered Markdown; shown only after a pass.
    pub debrief: &'a str,
    /// Points of the task's domain so far, this head included.
    pub domain: Option<DomainScore>,
    /// The task to go on with after a pass.
    pub next: Option<NextTask>,
    /// Checkpoints that `gradus grade` in the fork can judge before the next push.
    pub judged_locally: u32,
    /// The task changed since the learner branched off: the review says how to merge.
    pub task_changed: bool,
    /// What no checkpoint asks for and nobody loses points over; places as in the report.
    pub advice: Vec<Advice>,
    /// Why live checkpoints were judged on the files, where they were.
    pub on_files: Option<&'a str>,
}

/// Points of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainScore {
    /// Its title.
    pub title: String,
    /// Points reached.
    pub score: u32,
    /// Points of its tasks.
    pub points: u32,
}

/// The task to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTask {
    /// Which one.
    pub id: TaskId,
    /// Its title.
    pub title: String,
}
