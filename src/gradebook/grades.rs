//! Everybody's grades as a table: what `gradus grades` prints. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::book::{Book, Record};
use super::decision::{Decision, Decisions};
use super::entry::Verdict;
use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CheckpointId, CourseId, Learner, TaskId};
use crate::course::kinds::ApiVersion;
use crate::store::time::Time;

/// Learner × task, with what instructors decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grades {
    /// `gradus.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Grades`.
    pub kind: GradesKind,
    /// By course, learner, task.
    pub items: Vec<Grade>,
    /// Checkpoints that are not trusted now.
    pub quarantines: Vec<QuarantineRow>,
    /// Files and lines of the gradebook that cannot be read and do not count.
    pub problems: Vec<String>,
}

/// The constant `Grades`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub enum GradesKind {
    /// The only one.
    #[default]
    Grades,
}

/// One task of one learner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grade {
    /// Which course.
    pub course: CourseId,
    /// Whose: the numeric id on the forge, locally the name.
    pub learner: Learner,
    /// What they were called last.
    pub login: Option<String>,
    /// Which task.
    pub task: TaskId,
    /// Whether it counts as passed.
    pub state: State,
    /// Points that count: best, decisions and costs of hints taken together.
    pub score: u32,
    /// The best verdict, before decisions.
    pub best: Option<Judged>,
    /// The newest verdict.
    pub latest: Option<Judged>,
    /// Graded states of the task's files.
    pub attempts: u32,
    /// Checkpoints that failed in three attempts or more, and in the newest.
    pub stuck: Vec<CheckpointId>,
    /// Our own errors in the newest verdict.
    pub errors: Vec<ErrorRow>,
    /// What instructors decided, oldest first.
    pub decisions: Vec<DecisionRow>,
}

/// Whether a task counts as passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It does.
    Passed,
    /// Not yet.
    Open,
}

/// A verdict in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Points reached.
    pub score: u32,
    /// Points that were judged.
    pub points: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// RFC 3339, UTC.
    pub at: String,
    /// The pull request.
    pub pull: String,
    /// The commit.
    pub head: String,
}

impl Judged {
    fn of(verdict: &Verdict) -> Self {
        Self {
            score: verdict.score,
            points: verdict.points,
            outcome: verdict.outcome,
            at: verdict.at.rfc3339(),
            pull: verdict.pull.clone(),
            head: verdict.head.to_string(),
        }
    }
}

/// A checkpoint that we could not judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorRow {
    /// Which one.
    pub checkpoint: CheckpointId,
    /// Why, where it was written down.
    pub cause: Option<String>,
}

/// A decision about a learner's task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRow {
    /// In a few words, as in `waived probes`.
    pub what: String,
    /// Why.
    pub reason: String,
    /// The instructor's login.
    pub by: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// The file that says so.
    pub file: String,
}

/// A checkpoint that is not trusted now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuarantineRow {
    /// Of which course.
    pub course: CourseId,
    /// Of which task.
    pub task: TaskId,
    /// Which one.
    pub checkpoint: CheckpointId,
    /// RFC 3339, UTC.
    pub until: String,
    /// Why.
    pub reason: String,
    /// The file that says so.
    pub file: String,
}

/// Whose grades are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this course only.
    pub course: Option<CourseId>,
    /// Of this learner only, by id or login.
    pub learner: Option<String>,
}

impl Filter {
    fn wants(&self, learner: &Learner, book: &Book) -> bool {
        self.learner.as_ref().is_none_or(|wanted| {
            wanted == learner.as_str() || book.login().is_some_and(|login| login.0.eq_ignore_ascii_case(wanted))
        })
    }
}

impl Grades {
    /// Of these books, with decisions applied.
    pub fn of(books: &[(Learner, Arc<Book>)], decisions: &Decisions, filter: &Filter, now: Time) -> Self {
        let in_course = |course: &CourseId| filter.course.as_ref().is_none_or(|wanted| wanted == course);
        let mut items = Vec::new();
        for (learner, book) in books.iter().filter(|(learner, book)| filter.wants(learner, book)) {
            let records = book.records().filter(|(course, ..)| in_course(course));
            items.extend(records.map(|(course, task, record)| {
                let mut grade = grade(course, learner, book, task, record);
                grade.decisions = decided(decisions, learner, course, task);
                grade
            }));
        }
        items.sort_by(|a, b| {
            (&a.course, &a.login, &a.learner, &a.task).cmp(&(&b.course, &b.login, &b.learner, &b.task))
        });
        let quarantines =
            decisions.quarantines(now).filter(|(_, spec)| in_course(&spec.course)).map(|(file, spec)| QuarantineRow {
                course: spec.course.clone(),
                task: spec.task.clone(),
                checkpoint: spec.checkpoint.clone(),
                until: spec.until.0.rfc3339(),
                reason: spec.reason.as_str().to_owned(),
                file: file.to_owned(),
            });
        let damaged = books.iter().flat_map(|(_, book)| book.damaged());
        Self {
            api_version: ApiVersion::default(),
            kind: GradesKind::default(),
            items,
            quarantines: quarantines.collect(),
            problems: decisions.problems().iter().chain(damaged).map(ToString::to_string).collect(),
        }
    }
}

/// Everybody that the decisions are about.
pub(super) fn concerned(decisions: &Decisions) -> BTreeSet<Learner> {
    decisions.all().iter().filter_map(|filed| filed.decision.learner().cloned()).collect()
}

fn grade(course: &CourseId, learner: &Learner, book: &Book, task: &TaskId, record: &Record) -> Grade {
    let errors = record.latest().into_iter().flat_map(|latest| &latest.checkpoints);
    let errors = errors.filter(|c| c.outcome == Outcome::Error);
    Grade {
        course: course.clone(),
        learner: learner.clone(),
        login: book.login().map(|login| login.0.clone()),
        task: task.clone(),
        state: if record.passed() { State::Passed } else { State::Open },
        score: record.score(),
        best: record.best().map(Judged::of),
        latest: record.latest().map(Judged::of),
        attempts: u32::try_from(record.attempts().len()).unwrap_or(u32::MAX),
        stuck: record.stuck(),
        errors: errors.map(|c| ErrorRow { checkpoint: c.id.clone(), cause: c.cause.clone() }).collect(),
        decisions: Vec::new(),
    }
}

fn decided(decisions: &Decisions, learner: &Learner, course: &CourseId, task: &TaskId) -> Vec<DecisionRow> {
    let about = |known: (&CourseId, &TaskId)| known == (course, task);
    let row = |filed: &super::decision::Filed| {
        let (what, reason) = match &filed.decision {
            Decision::Waiver(file) if about((&file.spec.course, &file.spec.task)) => {
                (format!("waived {}", file.spec.checkpoint), &file.spec.reason)
            }
            Decision::Extension(file) if about((&file.spec.course, &file.spec.task)) => {
                let how = match (&file.spec.by, &file.spec.until) {
                    (Some(span), _) => format!("extended by {span}"),
                    (None, Some(until)) => format!("extended until {until}"),
                    (None, None) => "extended".to_owned(),
                };
                (how, &file.spec.reason)
            }
            Decision::Override(file) if about((&file.spec.course, &file.spec.task)) => {
                (format!("set to {} of {}", file.spec.points, file.spec.of), &file.spec.reason)
            }
            _ => return None,
        };
        let metadata = filed.decision.metadata();
        Some(DecisionRow {
            what,
            reason: reason.as_str().to_owned(),
            by: metadata.author.login.0.clone(),
            at: metadata.at.0.rfc3339(),
            file: filed.file.clone(),
        })
    };
    let of_learner = decisions.all().iter().filter(|filed| filed.decision.learner() == Some(learner));
    of_learner.filter_map(row).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::Gradebook;
    use super::super::decision::tests::{extension, overridden, quarantine, waiver};
    use super::super::entry::Entry;
    use super::super::entry::tests::{fail, pass, verdict};
    use super::*;
    use crate::forge::pull::{Login, User, UserKind};

    fn user(id: &str, login: &str) -> User {
        User { id: id.parse().unwrap(), login: Login(login.into()), kind: UserKind::Person }
    }

    /// Ada is stuck, Bob passed, Eve has an error and a login that a spreadsheet would compute; decisions about each.
    pub fn sample(dir: &std::path::Path) -> Gradebook {
        let gradebook = Gradebook::new(dir.to_owned());
        gradebook.append(&user("7", "ada"), &[fail("t", "a"), fail("t", "b"), fail("t", "c")]).unwrap();
        gradebook.append(&user("8", "bob"), &[fail("t", "a"), pass("t", "b"), pass("a-second-task", "c")]).unwrap();
        let mut error = verdict("t", "a", Outcome::Error, 0);
        error.provisional = true;
        error.checkpoints[0].cause = Some("the fixture is missing".to_owned());
        gradebook.append(&user("9", "=eve"), &[Entry::Verdict(error)]).unwrap();
        gradebook.decide(&[extension("7"), waiver("9", "d"), overridden("8", 3)]).unwrap();
        gradebook.decide(&[quarantine("c", "2026-12-01")]).unwrap();
        std::fs::write(dir.join("decisions/broken.yaml"), "kind: Waver\n").unwrap();
        gradebook
    }

    #[test]
    fn a_table_says_what_counts_who_is_stuck_and_why() {
        let dir = tempfile::tempdir().unwrap();
        let grades = sample(dir.path()).grades(&Filter::default(), Time(0)).unwrap();
        let rows: Vec<_> =
            grades.items.iter().map(|g| (g.learner.as_str(), g.task.as_str(), g.score, g.state)).collect();
        assert_eq!(
            rows,
            [
                ("9", "t", 0, State::Open),
                ("7", "t", 0, State::Open),
                ("8", "a-second-task", 4, State::Passed),
                ("8", "t", 3, State::Open),
            ]
        );
        let [eve, ada, _, bob] = grades.items.as_slice() else { panic!() };
        assert_eq!(ada.stuck, ["c".parse().unwrap()]);
        assert_eq!((ada.attempts, bob.attempts), (3, 2));
        assert_eq!(bob.stuck, []);
        assert_eq!(eve.errors[0].cause.as_deref(), Some("the fixture is missing"));
        assert_eq!((bob.best.as_ref().unwrap().score, bob.decisions[0].what.as_str()), (4, "set to 3 of 4"));
        assert_eq!(ada.decisions[0].what, "extended by 3d");
        assert_eq!(grades.quarantines.len(), 1);
        assert_eq!(grades.problems.len(), 1, "{:?}", grades.problems);
    }

    #[test]
    fn a_filter_takes_a_course_and_a_learner_by_id_or_login() {
        let dir = tempfile::tempdir().unwrap();
        let gradebook = sample(dir.path());
        let count = |course: Option<&str>, learner: Option<&str>| {
            let filter = Filter { course: course.map(|c| c.parse().unwrap()), learner: learner.map(str::to_owned) };
            gradebook.grades(&filter, Time(0)).unwrap().items.len()
        };
        assert_eq!(count(None, Some("8")), 2);
        assert_eq!(count(None, Some("Bob")), 2);
        assert_eq!(count(Some("hello"), Some("ada")), 1);
        assert_eq!(count(Some("other"), None), 0);
    }

    #[test]
    fn somebody_with_a_decision_and_no_verdict_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let gradebook = Gradebook::new(dir.path().to_owned());
        gradebook.decide(&[overridden("8", 4)]).unwrap();
        let grades = gradebook.grades(&Filter::default(), Time(0)).unwrap();
        assert_eq!((grades.items[0].score, grades.items[0].state), (4, State::Passed));
        assert_eq!(grades.items[0].best, None);
    }
}
