//! What a marker tells an empty store: the verdicts behind a review, the hints behind an answer. Pure.
//!
//! Short, since it stands in every review: names are one letter, and what does not fit into
//! [`MAX_RECORD`] is left out, checkpoints first.

use serde::{Deserialize, Serialize};

use super::grader::Grading;
use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CheckpointId, TaskId};
use crate::forge::pull::{MAX_RECORD, PullKey};
use crate::grade::report::CourseRef;
use crate::gradebook::entry::{CheckpointVerdict, Entry, Verdict};
use crate::store::time::Time;
use crate::submission::sha::{CommitId, TreeId};

/// The verdicts behind a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    at: Time,
    #[serde(rename = "c")]
    course: CourseRef,
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    practice: bool,
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    provisional: bool,
    #[serde(rename = "t")]
    tasks: Vec<RecordedTask>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RecordedTask {
    #[serde(rename = "t")]
    task: TaskId,
    #[serde(rename = "f")]
    files: TreeId,
    #[serde(rename = "a")]
    attempt: u32,
    #[serde(rename = "o")]
    outcome: Outcome,
    #[serde(rename = "s")]
    score: u32,
    #[serde(rename = "p")]
    points: u32,
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    checkpoints: Vec<(CheckpointId, Outcome, u32, u32)>,
}

/// What is read back from a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// For the gradebook; none of a draft.
    pub verdicts: Vec<Entry>,
    /// Something was still open.
    pub provisional: bool,
}

/// The record of a grading; none when not even the short form fits.
pub fn of_grading(grading: &Grading, at: Time) -> Option<String> {
    let tasks = grading.tasks.iter().map(|graded| RecordedTask {
        task: graded.report.task.clone(),
        files: graded.files.clone(),
        attempt: graded.attempt,
        outcome: graded.report.outcome,
        score: graded.report.score,
        points: graded.report.points,
        checkpoints: graded.report.checkpoints.iter().map(|c| (c.id.clone(), c.outcome, c.score, c.points)).collect(),
    });
    let mut record = Record {
        at,
        course: grading.course.clone(),
        practice: grading.practice,
        provisional: grading.provisional(),
        tasks: tasks.collect(),
    };
    fitting(&record).or_else(|| {
        record.tasks.iter_mut().for_each(|task| task.checkpoints.clear());
        fitting(&record)
    })
}

/// The record of an answer: what it added to the gradebook.
pub fn of_answer(entries: &[Entry]) -> Option<String> {
    if entries.is_empty() { None } else { fitting(&entries) }
}

fn fitting(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok().filter(|text| text.len() <= MAX_RECORD)
}

/// What the record of a review of this head says; none when it says nothing that is understood.
pub fn recall_review(record: &str, key: &PullKey, head: &CommitId) -> Option<Recalled> {
    let record: Record = serde_json::from_str(record).ok()?;
    let verdict = |task: RecordedTask| {
        let checkpoints = task.checkpoints.into_iter().map(|(id, outcome, score, points)| CheckpointVerdict {
            id,
            outcome,
            score,
            points,
            cause: None,
        });
        Entry::Verdict(Verdict {
            at: record.at,
            course: record.course.clone(),
            task: task.task,
            pull: key.to_string(),
            head: head.clone(),
            files: task.files,
            outcome: task.outcome,
            score: task.score,
            points: task.points,
            provisional: record.provisional,
            checkpoints: checkpoints.collect(),
        })
    };
    let tasks = if record.practice { Vec::new() } else { record.tasks };
    Some(Recalled { verdicts: tasks.into_iter().map(verdict).collect(), provisional: record.provisional })
}

/// What the record of an answer says.
pub fn recall_answer(record: &str) -> Vec<Entry> {
    serde_json::from_str(record).unwrap_or_default()
}
