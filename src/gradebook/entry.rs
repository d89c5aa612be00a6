//! One line of a learner's file.

use serde::{Deserialize, Serialize};

use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::forge::pull::{Login, User};
use crate::grade::report::{CourseRef, Report};
use crate::review::safe::cut;
use crate::store::time::Time;
use crate::submission::sha::{CommitId, TreeId};

/// A line: an entry, and what the learner was called when it was written, since the file is named by a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// For people to read, and to say whom a table is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Something that happened to a learner, in the order in which it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Entry {
    /// A task was judged.
    Verdict(Verdict),
    /// A hint was asked for and given.
    Hint(HintGiven),
    /// The learner objects to a verdict.
    Dispute(Dispute),
    /// An instructor approved what passed.
    Approval(Approval),
}

/// A report's score with its provenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// When.
    pub at: Time,
    /// The course and the revision that judged.
    pub course: CourseRef,
    /// Which task.
    pub task: TaskId,
    /// The pull request, as in `local#12`.
    pub pull: String,
    /// The commit that was judged.
    pub head: CommitId,
    /// Git tree hash of the task's directory in it: two heads with the same one are one attempt.
    pub files: TreeId,
    /// What became of it.
    pub outcome: Outcome,
    /// Points reached.
    pub score: u32,
    /// Points that were judged.
    pub points: u32,
    /// Something is still open that is not the learner's.
    pub provisional: bool,
    /// In the order of the task.
    pub checkpoints: Vec<CheckpointVerdict>,
}

/// One checkpoint of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointVerdict {
    /// Which one.
    pub id: CheckpointId,
    /// What became of it.
    pub outcome: Outcome,
    /// Points reached.
    pub score: u32,
    /// Points it is worth.
    pub points: u32,
    /// For `error`: what went wrong, for instructors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Most characters of a cause.
const MAX_CAUSE: usize = 300;

impl Verdict {
    /// The verdict of a report on this commit with these files.
    pub fn of(report: &Report, pull: String, head: CommitId, files: TreeId, at: Time) -> Self {
        let checkpoints = report.checkpoints.iter().map(|result| CheckpointVerdict {
            id: result.id.clone(),
            outcome: result.outcome,
            score: result.score,
            points: result.points,
            cause: (result.outcome == Outcome::Error)
                .then(|| result.evidence.first())
                .flatten()
                .map(|evidence| cut(&evidence.message, MAX_CAUSE)),
        });
        Self {
            at,
            course: report.course.clone(),
            task: report.task.clone(),
            pull,
            head,
            files,
            outcome: report.outcome,
            score: report.score,
            points: report.points,
            provisional: report.provisional,
            checkpoints: checkpoints.collect(),
        }
    }
}

/// A hint that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HintGiven {
    /// When.
    pub at: Time,
    /// Of which course.
    pub course: CourseId,
    /// Of which task.
    pub task: TaskId,
    /// Of which checkpoint.
    pub checkpoint: CheckpointId,
    /// Its place on the ladder, from 1.
    pub number: u32,
    /// Points taken off.
    pub cost: u32,
}

/// An objection, for an instructor to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dispute {
    /// When.
    pub at: Time,
    /// The pull request, as in `local#12`.
    pub pull: String,
    /// The head that it is about.
    pub head: CommitId,
    /// Of which course.
    pub course: CourseId,
    /// Of which task.
    pub task: TaskId,
    /// Of which checkpoint.
    pub checkpoint: CheckpointId,
    /// In the learner's words.
    pub why: String,
}

/// A person's approval of a task that asks for one; holds while the task's files are these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// When it was seen.
    pub at: Time,
    /// The pull request, as in `local#12`.
    pub pull: String,
    /// Of which course.
    pub course: CourseId,
    /// Of which task.
    pub task: TaskId,
    /// Git tree hash of the task's directory.
    pub files: TreeId,
    /// Who approved.
    pub by: User,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A verdict of `task` on a commit and files made of `letter`, with one checkpoint `c`.
    pub fn verdict(task: &str, letter: &str, outcome: Outcome, score: u32) -> Verdict {
        Verdict {
            at: Time(1),
            course: CourseRef { id: "hello".parse().unwrap(), revision: "0".repeat(40).parse().unwrap() },
            task: task.parse().unwrap(),
            pull: "local#1".to_owned(),
            head: letter.repeat(40).parse().unwrap(),
            files: letter.repeat(40).parse().unwrap(),
            outcome,
            score,
            points: 4,
            provisional: false,
            checkpoints: vec![CheckpointVerdict { id: "c".parse().unwrap(), outcome, score, points: 4, cause: None }],
        }
    }

    pub fn fail(task: &str, letter: &str) -> Entry {
        Entry::Verdict(verdict(task, letter, Outcome::Fail, 0))
    }

    pub fn pass(task: &str, letter: &str) -> Entry {
        Entry::Verdict(verdict(task, letter, Outcome::Pass, 4))
    }

    #[test]
    fn a_line_is_flat_json_with_its_kind_and_a_name_to_read() {
        let line = Line { login: Some(Login("Ada".into())), entry: pass("t", "a") };
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.starts_with(r#"{"login":"Ada","kind":"verdict","at":1,"course":{"id":"hello""#), "{text}");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        let before = serde_json::to_string(&pass("t", "a")).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&before).unwrap(), Line { login: None, entry: pass("t", "a") });
    }
}
