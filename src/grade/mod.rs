//! Grading: Task@course revision × Submission@commit → Report. The same code in the daemon, on a runner and on a laptop.
//!
//! `plan` orders the checkpoints and carries outcomes along dependencies, the sandbox judges, `score` makes the report.
//! `view` is what a learner may see of it, `digest` what must change before anybody is told again.

pub mod digest;
pub mod plan;
pub mod proof;
pub mod quarantine;
pub mod report;
mod score;
pub mod view;

use crate::checkpoint::evidence::{Evidence, Place};
use crate::checkpoint::observed::Environs;
use crate::checkpoint::{Checkpoint, Judgement};
use crate::course::id::CheckpointId;
use crate::course::task::Task;
use crate::course::values::Values;
use crate::sandbox::{Advising, Answers, Sandbox, Screening, Tracing, Work};
use crate::submission::advice::Advice;
use crate::submission::history::History;
use crate::submission::sha::CommitId;
use crate::submission::tree::Tree;
use crate::submission::violation::{Violation, violations_below};
use plan::Plan;
use report::{CourseRef, Report};

/// One submission of one task, ready to be judged.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// What judges.
    pub course: &'a CourseRef,
    /// With the learner's values filled in.
    pub task: &'a Task,
    /// The learner's values.
    pub values: &'a Values,
    /// The head; none for a working tree.
    pub commit: Option<&'a CommitId>,
    /// The files of the task's directory in the submission.
    pub files: &'a Tree,
    /// The same directory where the learner started.
    pub base: &'a Tree,
    /// None where hidden fixtures are not to be had.
    pub hidden: Option<&'a Tree>,
    /// None for a working tree.
    pub history: Option<&'a History>,
    /// None where there is no environment.
    pub environs: Option<&'a Environs>,
    /// All of the submission's: those below the task's directory, or of the whole submission, fail its checkpoints.
    pub violations: &'a [Violation],
}

impl Job<'_> {
    /// `tasks/TASK-ID/`: where the task's files are in the workspace.
    pub fn prefix(&self) -> String {
        format!("{}/", self.task.id.dir())
    }
}

/// A report, and beside it what a person is told who reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Advised {
    /// The same as without advice.
    pub report: Report,
    /// Places as in the report.
    pub advice: Vec<Advice>,
}

/// Judges every checkpoint of a job. Never fails: what goes wrong is an outcome.
pub fn grade(job: &Job<'_>, sandbox: &Sandbox) -> Report {
    graded(job, sandbox, Advising::Off).report
}

/// Judges every checkpoint of a job, then gives advice on its files.
pub fn grade_and_advise(job: &Job<'_>, sandbox: &Sandbox) -> Advised {
    graded(job, sandbox, Advising::On)
}

fn graded(job: &Job<'_>, sandbox: &Sandbox, advising: Advising) -> Advised {
    let plan = Plan::new(&job.task.checkpoints);
    let prefix = job.prefix();
    let (judged, mut advice) = match unacceptable(job, &prefix) {
        Some(judgement) => (plan.order().iter().map(|c| (c.id.clone(), judgement.clone())).collect(), Vec::new()),
        None => {
            let work = Work { advising, ..work(job, plan.order(), &prefix, Tracing::Off) };
            let Answers { judged, advice } = sandbox.judge(&work);
            (judged.into_iter().map(|(id, judged)| (id, judged.judgement)).collect(), advice)
        }
    };
    for piece in &mut advice {
        piece.place.file = piece.place.file.take().map(|file| format!("{prefix}{file}"));
    }
    Advised { report: score::report(job, &plan.standings(judged)), advice }
}

/// What a submission may not hold is a `fail` of every checkpoint, and reason enough to look at nothing else in it.
fn unacceptable(job: &Job<'_>, prefix: &str) -> Option<Judgement> {
    let evidence: Vec<Evidence> = violations_below(job.violations, prefix)
        .map(|violation| {
            // The directory itself, where a link stands in its place, is no file below it: the message names it.
            let file = violation.path.strip_prefix(prefix.trim_end_matches('/')).unwrap_or(&violation.path);
            let file = file.trim_start_matches('/');
            let file = (!file.is_empty()).then(|| file.to_owned());
            Evidence {
                message: violation.to_string(),
                place: Place { file, ..Place::default() },
                expected: violation.limit.clone().map(Into::into),
                operator: Some("limit".to_owned()),
                ..Evidence::default()
            }
        })
        .collect();
    (!evidence.is_empty()).then(|| Judgement::fail(evidence))
}

/// How one checkpoint comes to its verdict, whatever it depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What it found; paths below the task's directory.
    pub judgement: Judgement,
    /// What it did: depth and text.
    pub trace: Vec<(usize, String)>,
}

/// Judges one checkpoint of a job with its trace on. None when the task has no such checkpoint.
pub fn explain(job: &Job<'_>, id: &CheckpointId, sandbox: &Sandbox) -> Option<Explanation> {
    let mut checkpoint = job.task.checkpoints.iter().find(|c| c.id == *id)?.clone();
    checkpoint.depends_on.clear();
    let prefix = job.prefix();
    let judged = sandbox.judge(&work(job, &[&checkpoint], &prefix, Tracing::On)).judged.remove(id)?;
    Some(Explanation { judgement: judged.judgement, trace: judged.trace })
}

fn work<'a>(job: &Job<'a>, checkpoints: &'a [&'a Checkpoint], prefix: &'a str, tracing: Tracing) -> Work<'a> {
    Work {
        checkpoints,
        files: job.files,
        base: job.base,
        hidden: job.hidden,
        params: job.values,
        history: job.history,
        environs: job.environs,
        prefix,
        dialect: job.task.dialect,
        tracing,
        screening: Screening::On,
        advising: Advising::Off,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::outcome::{Blame, Outcome};
    use crate::submission::violation::Rule;
    use testing::{checkpoint, course_ref, task};

    #[test]
    fn what_a_submission_may_not_hold_fails_the_task_it_concerns_and_no_other() {
        let (course, values, tree) = (course_ref(), Values::new(), Tree::default());
        let task = task(vec![checkpoint("a", 1, &[]), checkpoint("b", 1, &["a"])]);
        for (path, outcomes) in [
            ("tasks/first-steps/passwd", [Outcome::Fail, Outcome::Blocked]),
            ("tasks/first-steps", [Outcome::Fail, Outcome::Blocked]),
            ("", [Outcome::Fail, Outcome::Blocked]),
            ("tasks/first-steps-2/passwd", [Outcome::NotRun, Outcome::NotRun]),
        ] {
            let violations = [Violation {
                path: path.to_owned(),
                rule: Rule::Symlink,
                what: "it is a symbolic link".to_owned(),
                limit: None,
                remedy: "put the file itself there".to_owned(),
            }];
            let job = Job {
                course: &course,
                task: &task,
                values: &values,
                commit: None,
                files: &tree,
                base: &tree,
                hidden: None,
                history: None,
                environs: None,
                violations: &violations,
            };
            let report = grade(&job, &Sandbox::InProcess);
            let found: Vec<_> = report.checkpoints.iter().map(|c| c.outcome).collect();
            assert_eq!(found, outcomes, "{path}");
            if report.outcome == Outcome::Fail {
                let first = &report.checkpoints[0];
                assert_eq!(first.blame, Some(Blame::YourFiles));
                // A link in place of the directory is at no file below it.
                let file = if path == "tasks/first-steps" { "" } else { path };
                assert_eq!(first.evidence[0].place.file.as_deref().unwrap_or_default(), file);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A task without a course: what the unit tests of this room share.

    use super::*;
    use crate::checkpoint::Kind;
    use crate::checkpoint::spec::{Credit, Visibility, Withheld};
    use crate::checkpoint::timing::Timing;
    use crate::course::task::ReviewBy;
    use crate::submission::yaml::Dialect;

    /// A checkpoint whose kind does not matter.
    pub fn checkpoint(id: &str, points: u32, depends_on: &[&str]) -> Checkpoint {
        Checkpoint {
            id: id.parse().unwrap(),
            title: format!("title of {id}"),
            points,
            depends_on: depends_on.iter().map(|id| id.parse().unwrap()).collect(),
            hints: Vec::new(),
            visibility: Visibility::Always,
            credit: Credit::AllOrNothing,
            message: None,
            timing: Timing::default(),
            fail_fast: None,
            kind: Kind::Withheld(Withheld::Visibility),
        }
    }

    /// A task with these checkpoints.
    pub fn task(checkpoints: Vec<Checkpoint>) -> Task {
        Task {
            environment: None,
            id: "first-steps".parse().unwrap(),
            title: "First steps".to_owned(),
            points: checkpoints.iter().map(|c| c.points).sum(),
            minutes: 5,
            dialect: Dialect::Kubectl,
            review: ReviewBy::Grader,
            competencies: Vec::new(),
            sources: Vec::new(),
            checkpoints,
        }
    }

    /// Course and revision of nothing in particular.
    pub fn course_ref() -> CourseRef {
        CourseRef { id: "hello".parse().unwrap(), revision: "0".repeat(40).parse().unwrap() }
    }

    /// The report of a task whose checkpoints were judged so.
    pub fn report(task: &Task, judged: Vec<(&str, Judgement)>) -> Report {
        let (course, values, tree) = (course_ref(), Values::new(), Tree::default());
        let job = Job {
            course: &course,
            task,
            values: &values,
            commit: None,
            files: &tree,
            base: &tree,
            hidden: None,
            history: None,
            environs: None,
            violations: &[],
        };
        let judged = judged.into_iter().map(|(id, judgement)| (id.parse().unwrap(), judgement)).collect();
        score::report(&job, &Plan::new(&task.checkpoints).standings(judged))
    }
}
