//! The gate: proves that a task's checkpoints tell right from wrong (design §1, promise 5).
//!
//! Every submission that the author wrote is graded with several draws of the parameters; what differs from what the
//! author promised is a [`Finding`]. The outcomes of all of them are the kill matrix.

pub mod cache;
mod finding;
mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::{CourseRef, Report};
use super::{Job, grade};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::outcome::Outcome;
use crate::course::draw::Drawn;
use crate::course::id::{CheckpointId, TaskId};
use crate::course::kinds::CommitFile;
use crate::course::task::Task;
use crate::course::values::{Scope, Values};
use crate::course::{Course, CourseTask};
use crate::sandbox::Sandbox;
use crate::submission::tree::Tree;

pub use finding::{Finding, Problem};

/// Draws of the parameters that a proof takes at least (promise 5).
pub const DRAWS: u32 = 3;

/// Something that the author wrote to be graded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// What the workspace ships, untouched: scores 0.
    Starter,
    /// Scores everything.
    Solution,
    /// Another right answer: scores everything.
    Alternative(String),
    /// A mistake: loses exactly what it says.
    Mutant(String),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Starter => f.write_str("starter"),
            Entry::Solution => f.write_str("solution"),
            Entry::Alternative(name) => write!(f, "alternative {name}"),
            Entry::Mutant(name) => write!(f, "mutant {name}"),
        }
    }
}

/// What came of proving one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Which task.
    pub task: TaskId,
    /// Draws of the parameters that were tried.
    pub draws: u32,
    /// In the order of the task.
    pub checkpoints: Vec<CheckpointId>,
    /// One row per submission: starter, solution, alternatives, mutants.
    pub matrix: Vec<Row>,
    /// What is not as the author promised; empty when the task is proven.
    pub findings: Vec<Finding>,
}

/// What `gradus test --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProofList {
    /// `gradus.dev/v1alpha1`.
    pub api_version: String,
    /// `ProofList`.
    pub kind: ProofListKind,
    /// One per task, in the order of the courses.
    pub items: Vec<Proof>,
}

/// The constant `ProofList`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProofListKind {
    /// The only one.
    #[default]
    ProofList,
}

/// One submission of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Which one.
    pub entry: Entry,
    /// One per checkpoint, with the first draw.
    pub outcomes: Vec<Outcome>,
}

impl Proof {
    /// Nothing is wrong.
    pub fn is_green(&self) -> bool {
        self.findings.is_empty()
    }

    /// Something could not be judged, so that nothing is known of it.
    pub fn is_provisional(&self) -> bool {
        self.findings
            .iter()
            .any(|f| matches!(f.problem, Problem::NotJudged { outcome, .. } if outcome.is_provisional()))
    }
}

/// One draw of a task, graded: what [`judge`] decides on.
#[derive(Debug)]
pub struct Trial {
    /// Which draw, from 0.
    pub number: u32,
    /// The values it drew.
    pub values: Values,
    /// In the order of the task.
    pub checkpoints: Vec<Checkpoint>,
    /// What each mutant says it loses.
    pub fails: BTreeMap<String, BTreeSet<CheckpointId>>,
    /// Everything graded.
    pub reports: BTreeMap<Entry, Report>,
}

/// A trial, or why the task cannot be drawn.
pub type TrialResult = Result<Trial, Box<Finding>>;

/// Grades all submissions of a task with one draw. An error says why it cannot be drawn.
pub fn trial(course: &Course, task: &CourseTask, number: u32, sandbox: &Sandbox) -> TrialResult {
    let drawn = task
        .draw(course, &Scope::Proof(number))
        .map_err(|problems| Finding::broken(number, problems.iter().map(ToString::to_string).collect()))
        .map_err(Box::new)?;
    let reference = CourseRef { id: course.id.clone(), revision: course.revision.clone() };
    let reports = submissions(&drawn)
        .map(|own| {
            let report = with_job(&reference, &drawn, own.files, own.commits, |job| grade(job, sandbox));
            (own.entry, report)
        })
        .collect();
    let fails =
        drawn.mutants.iter().map(|(name, mutant)| (name.clone(), mutant.fails.iter().cloned().collect())).collect();
    Ok(Trial { number, values: drawn.values, checkpoints: drawn.task.checkpoints, fails, reports })
}

/// A submission that comes with a task.
#[derive(Debug, Clone)]
pub struct Own<'a> {
    /// Which one.
    pub entry: Entry,
    /// The files of the task's directory.
    pub files: &'a Tree,
    /// How it was committed; none for one commit with an honest message.
    pub commits: Option<&'a [CommitFile]>,
}

/// The submissions that come with a task.
pub fn submissions(drawn: &Drawn) -> impl Iterator<Item = Own<'_>> {
    let commits = |dir: &str| drawn.commits.get(dir).map(Vec::as_slice);
    let of_solution = commits("solution");
    let starter = Own { entry: Entry::Starter, files: &drawn.starter, commits: None };
    let solution = Own { entry: Entry::Solution, files: &drawn.solution, commits: of_solution };
    let alternatives = drawn.alternatives.iter().map(move |(name, files)| {
        let commits = commits(&format!("alternatives/{name}")).or(of_solution);
        Own { entry: Entry::Alternative(name.clone()), files, commits }
    });
    let mutants = drawn.mutants.iter().map(move |(name, mutant)| Own {
        entry: Entry::Mutant(name.clone()),
        files: &mutant.files,
        commits: mutant.commits.as_deref().or(of_solution),
    });
    [starter, solution].into_iter().chain(alternatives).chain(mutants)
}

/// The job of grading files that somebody made of the starter; committed as said, else in one commit.
pub fn with_job<T>(
    course: &CourseRef,
    drawn: &Drawn,
    files: &Tree,
    commits: Option<&[CommitFile]>,
    run: impl FnOnce(&Job<'_>) -> T,
) -> T {
    let history = history::history(&drawn.starter, files, commits, &format!("{}/", drawn.task.id.dir()));
    run(&Job {
        course,
        task: &drawn.task,
        values: &drawn.values,
        commit: None,
        files,
        base: &drawn.starter,
        hidden: Some(&drawn.hidden),
        history: Some(&history),
        environs: None,
        violations: &[],
    })
}

/// Decides whether the trials prove the task. Pure.
pub fn judge(task: &Task, trials: &[TrialResult]) -> Proof {
    let mut findings: Vec<Finding> = Vec::new();
    for trial in trials {
        match trial {
            Err(broken) => Finding::merge(&mut findings, broken.as_ref().clone()),
            Ok(trial) => problems(trial)
                .into_iter()
                .for_each(|problem| Finding::merge(&mut findings, Finding::new(problem, trial))),
        }
    }
    let tried = u32::try_from(trials.len()).unwrap_or(u32::MAX);
    for finding in &mut findings {
        finding.settle(tried);
    }
    let first = trials.iter().find_map(|trial| trial.as_ref().ok());
    let row = |(entry, report): (&Entry, &Report)| Row {
        entry: entry.clone(),
        outcomes: report.checkpoints.iter().map(|c| c.outcome).collect(),
    };
    Proof {
        task: task.id.clone(),
        draws: tried,
        checkpoints: task.checkpoints.iter().map(|c| c.id.clone()).collect(),
        matrix: first.map(|trial| trial.reports.iter().map(row).collect()).unwrap_or_default(),
        findings,
    }
}

/// What one trial shows to be wrong. What follows from a checkpoint that was not judged is not told again.
fn problems(trial: &Trial) -> Vec<Problem> {
    let mut problems = not_judged(trial);
    let is_open = |report: &Report, id: &CheckpointId| outcome(report, id).is_none_or(is_not_judged);
    for (entry, report) in &trial.reports {
        match entry {
            Entry::Starter => problems.extend(starter(report)),
            Entry::Solution | Entry::Alternative(_) => {
                let lost = report.checkpoints.iter().filter(|c| matches!(c.outcome, Outcome::Fail | Outcome::Blocked));
                problems.extend(lost.map(|result| Problem::LostPoints {
                    entry: entry.clone(),
                    checkpoint: result.id.clone(),
                    outcome: result.outcome,
                    message: first_message(report, &result.id),
                }));
            }
            Entry::Mutant(name) => {
                let declared = trial.fails.get(name).cloned().unwrap_or_default();
                let failed: BTreeSet<_> = with_outcome(report, Outcome::Fail).collect();
                let (mut survived, elsewhere) = (&declared - &failed, &failed - &declared);
                survived.retain(|id| !is_open(report, id));
                if !survived.is_empty() || !elsewhere.is_empty() {
                    problems.push(Problem::Mutant { name: name.clone(), survived, elsewhere });
                }
            }
        }
    }
    let mutants =
        || trial.reports.iter().filter(|(entry, _)| matches!(entry, Entry::Mutant(_))).map(|(_, report)| report);
    let killed: BTreeSet<_> = mutants().flat_map(|report| with_outcome(report, Outcome::Fail)).collect();
    let alive = trial.checkpoints.iter().map(|c| &c.id).filter(|id| !killed.contains(*id));
    let alive = alive.filter(|id| !mutants().any(|report| is_open(report, id)));
    problems.extend(alive.map(|id| Problem::Unkilled { checkpoint: id.clone() }));
    problems
}

/// Checkpoints that were not judged, each with all submissions on which it was not for the same reason.
fn not_judged(trial: &Trial) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for checkpoint in &trial.checkpoints {
        for (entry, report) in &trial.reports {
            let Some(outcome) = outcome(report, &checkpoint.id).filter(|outcome| is_not_judged(*outcome)) else {
                continue;
            };
            let inherited = checkpoint.depends_on.iter().any(|id| self::outcome(report, id).is_some_and(is_not_judged));
            if inherited {
                continue;
            }
            let reason = first_message(report, &checkpoint.id);
            let known = problems.iter_mut().find_map(|problem| match problem {
                Problem::NotJudged { checkpoint: id, message, entries, .. }
                    if *id == checkpoint.id && *message == reason =>
                {
                    Some(entries)
                }
                _ => None,
            });
            match known {
                Some(entries) => entries.push(entry.clone()),
                None => problems.push(Problem::NotJudged {
                    checkpoint: checkpoint.id.clone(),
                    outcome,
                    message: reason,
                    entries: vec![entry.clone()],
                }),
            }
        }
    }
    problems
}

fn is_not_judged(outcome: Outcome) -> bool {
    outcome == Outcome::NotRun || outcome.is_provisional()
}

fn outcome(report: &Report, id: &CheckpointId) -> Option<Outcome> {
    report.checkpoints.iter().find(|c| c.id == *id).map(|c| c.outcome)
}

/// The starter satisfies nothing: whatever it satisfies stands alone, since what a failed checkpoint blocks is not `pass`.
fn starter(report: &Report) -> impl Iterator<Item = Problem> {
    report.checkpoints.iter().filter_map(|result| match result.outcome {
        Outcome::Pass => Some(Problem::GuardAlone { checkpoint: result.id.clone() }),
        _ if result.score > 0 => {
            Some(Problem::StarterScored { checkpoint: result.id.clone(), score: result.score, points: result.points })
        }
        _ => None,
    })
}

fn with_outcome(report: &Report, outcome: Outcome) -> impl Iterator<Item = CheckpointId> {
    report.checkpoints.iter().filter(move |c| c.outcome == outcome).map(|c| c.id.clone())
}

fn first_message(report: &Report, id: &CheckpointId) -> String {
    let result = report.checkpoints.iter().find(|c| c.id == *id);
    let Some(result) = result else { return String::new() };
    if !result.blocked_by.is_empty() {
        let ids: Vec<_> = result.blocked_by.iter().map(|id| format!("`{id}`")).collect();
        return format!("it waits for {}", ids.join(", "));
    }
    let Some(evidence) = result.evidence.first() else { return String::new() };
    match (&evidence.place.file, evidence.place.line) {
        (Some(file), Some(line)) => format!("{} ({file}:{line})", evidence.message),
        (Some(file), None) => format!("{} ({file})", evidence.message),
        _ => evidence.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Judgement;
    use crate::grade::testing::{self, checkpoint};

    /// A task of a check and a guard, and reports by submission: which checkpoints `fail`.
    fn trial(number: u32, submissions: &[(Entry, &[&str])], fails: &[(&str, &[&str])]) -> Trial {
        let task = task();
        let judge = |failing: &[&str]| {
            let judgement =
                |id: &str| if failing.contains(&id) { Judgement::fail(Vec::new()) } else { Judgement::pass() };
            testing::report(&task, vec![("check", judgement("check")), ("guard", judgement("guard"))])
        };
        let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().unwrap()).collect();
        Trial {
            number,
            values: Values::from([("n".to_owned(), number.into())]),
            checkpoints: task.checkpoints.clone(),
            fails: fails.iter().map(|(name, failing)| ((*name).to_owned(), ids(failing))).collect(),
            reports: submissions.iter().map(|(entry, failing)| (entry.clone(), judge(failing))).collect(),
        }
    }

    fn task() -> Task {
        testing::task(vec![checkpoint("check", 2, &[]), checkpoint("guard", 1, &["check"])])
    }

    fn mutant(name: &str) -> Entry {
        Entry::Mutant(name.to_owned())
    }

    const FAILS: &[(&str, &[&str])] = &[("wrong", &["check"]), ("deleted", &["guard"])];

    /// A trial that proves the task.
    fn proven(number: u32) -> Trial {
        let submissions: [(Entry, &[&str]); 4] = [
            (Entry::Starter, &["check"]),
            (Entry::Solution, &[]),
            (mutant("wrong"), &["check"]),
            (mutant("deleted"), &["guard"]),
        ];
        trial(number, &submissions, FAILS)
    }

    fn with(entry: Entry, failing: &[&str]) -> Trial {
        let mut changed = proven(0);
        changed.reports.extend(trial(0, &[(entry, failing)], FAILS).reports);
        changed
    }

    fn found(trial: Trial) -> Vec<String> {
        judge(&task(), &[Ok(trial)]).findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_task_whose_promises_hold_is_proven() {
        let proof = judge(&task(), &[Ok(proven(0)), Ok(proven(1)), Ok(proven(2))]);
        assert!(proof.is_green(), "{:?}", proof.findings);
        assert_eq!(proof.matrix[0].outcomes, [Outcome::Fail, Outcome::Blocked]);
    }

    #[test]
    fn each_broken_promise_is_named() {
        assert_eq!(
            found(with(mutant("wrong"), &[])),
            [
                "mutant `wrong` survives: `check` should fail and did not",
                "nothing kills `check`: write a mutant that it must fail on"
            ]
        );
        assert_eq!(
            found(with(mutant("deleted"), &["check"])),
            [
                "mutant `deleted` fails `check` instead of `guard`",
                "nothing kills `guard`: write a mutant that it must fail on"
            ]
        );
        assert_eq!(
            found(with(Entry::Alternative("other".to_owned()), &["check"])),
            ["alternative other fails `check`: ", "alternative other is blocked at `guard`: it waits for `check`"]
        );
        assert_eq!(
            found(with(Entry::Starter, &["guard"])),
            [
                "the starter satisfies `check`: let it depend (`dependsOn`) on a checkpoint that the starter does not satisfy"
            ]
        );
    }

    #[test]
    fn what_only_some_draws_show_names_them_and_their_values() {
        let mut survivor = with(mutant("wrong"), &[]);
        survivor.number = 1;
        survivor.values = Values::from([("n".to_owned(), 1.into())]);
        let proof = judge(&task(), &[Ok(proven(0)), Ok(survivor), Ok(proven(2))]);
        assert_eq!(
            proof.findings[0].to_string(),
            "mutant `wrong` survives: `check` should fail and did not; only with draw 1 (n=1)"
        );
    }

    #[test]
    fn what_was_not_judged_proves_nothing() {
        let mut trial = proven(0);
        let report = trial.reports.get_mut(&Entry::Solution).unwrap();
        report.checkpoints[1].outcome = Outcome::Inconclusive;
        let proof = judge(&task(), &[Ok(trial)]);
        assert!(proof.is_provisional() && !proof.is_green());
    }

    #[test]
    fn what_could_not_be_judged_anywhere_is_one_finding() {
        let mut trial = proven(0);
        for report in trial.reports.values_mut() {
            report.checkpoints[0].outcome = Outcome::Error;
            report.checkpoints[1].outcome = Outcome::Inconclusive;
        }
        assert_eq!(found(trial), ["`check` is error on 4 submissions: "]);
    }
}
