//! What comes of a head that was read, and of what was seen in its environments: reports, where the learner stands with them, and the
//! review that says so. Checkpoints run in the sandbox; else nothing here does I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::courses::OpenCourse;
use super::grader::{GradeError, GradedTask, Grading, Request};
use super::policy::{Policy, Untouched, Verdicts};
use crate::checkpoint::observed::Environs;
use crate::checkpoint::outcome::Outcome;
use crate::course::CourseTask;
use crate::course::draw::Drawn;
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::course::publish::{brief_path, checkpoints_path};
use crate::course::task::ReviewBy;
use crate::forge::pull::{Pull, Readiness};
use crate::grade::report::{CheckpointResult, Report};
use crate::grade::view::{Due, conceals, learner_view};
use crate::grade::{Job, grade_and_advise, quarantine};
use crate::gradebook::book::{Book, Record};
use crate::review::input::{DomainScore, Finished, Mode, NextTask, ReviewInput, Section};
use crate::review::{ReviewEvent, Status, StatusState, compose, terminal};
use crate::sandbox::Sandbox;
use crate::store::observations::ObservationId;
use crate::submission::Submission;
use crate::submission::diff::DiffLines;
use crate::submission::scope::Scope;
use crate::submission::sha::TreeId;

/// What was seen in the environments of a head's tasks, each with what it is kept under.
pub(super) type Sights = BTreeMap<TaskId, (Environs, Option<ObservationId>)>;

/// What judging needs besides data.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) page: Option<&'a str>,
    /// Address of the page with the learner's progress in the course, where there is one.
    pub(super) progress: Option<&'a str>,
    pub(super) policy: &'a Policy,
}

/// What a head is about, before anything is judged.
pub(super) struct Reading {
    pub(super) submission: Submission,
    pub(super) scope: Scope,
    pub(super) diff: DiffLines,
    /// Tasks to judge, each with its drawn form and the hash of its files.
    pub(super) tasks: Vec<(Arc<Drawn>, TreeId)>,
    pub(super) passed_before: Vec<TaskId>,
    pub(super) refused: Vec<TaskId>,
}

/// Why live checkpoints were judged on the files, where they were.
fn on_files<'a>(sights: &'a Sights, drawn: &Drawn, report: &Report) -> Option<&'a str> {
    let Some((Environs::Absent(why), _)) = sights.get(&drawn.task.id) else { return None };
    let live = |id: &CheckpointId| drawn.task.checkpoints.iter().any(|known| known.id == *id && known.is_live());
    let judged =
        |result: &CheckpointResult| live(&result.id) && matches!(result.outcome, Outcome::Pass | Outcome::Fail);
    report.checkpoints.iter().any(judged).then_some(why.as_str())
}

pub(super) fn judge(
    course: &OpenCourse,
    request: &Request,
    reading: &Reading,
    previous: &BTreeMap<TaskId, Report>,
    sights: &Sights,
    ground: &Ground<'_>,
) -> Result<Grading, GradeError> {
    let Ground { sandbox, page, progress, policy } = *ground;
    let practice = request.pull.readiness == Readiness::Draft;
    let (mut tasks, mut again_at) = (Vec::new(), None);
    let mut views = Vec::new();
    for (drawn, files) in &reading.tasks {
        if request.cancelled.yes() {
            return Err("the head moved on".into());
        }
        let (environs, observed) =
            sights.get(&drawn.task.id).map_or((None, None), |(seen, id)| (Some(seen), id.clone()));
        let judged =
            with_job(course, &request.pull, &reading.submission, drawn, environs, |job| grade_and_advise(job, sandbox));
        let (report, ends) = quarantine::apply(judged.report, &request.quarantines);
        again_at = again_at.into_iter().chain(ends).min();
        views.push((learner_view(&report, &drawn.task, Due::Open), judged.advice));
        let attempt = attempt(&request.book, &course.course.id, &drawn.task.id, files);
        tasks.push(GradedTask { files: files.clone(), attempt, report, observed });
    }
    let standing = Standing { course, book: &request.book, graded: &tasks };
    let sections =
        reading.tasks.iter().zip(&tasks).zip(&views).map(|(((drawn, files), graded), (view, advice))| Section {
            task: &drawn.task,
            report: view,
            attempt: graded.attempt,
            previous: previous.get(&drawn.task.id),
            failures: standing.failures(&drawn.task.id, files, &graded.report),
            values: &drawn.values,
            debrief: &drawn.debrief,
            domain: standing.domain(&drawn.task.id),
            next: standing.next(&drawn.task.id),
            judged_locally: count(drawn.task.checkpoints.iter().filter(|c| !conceals(c, Due::Open)).count()),
            task_changed: changed(course, &reading.submission, &drawn.task.id),
            advice: advice.clone(),
            on_files: on_files(sights, drawn, &graded.report),
        });
    let input = ReviewInput {
        head: &request.pull.head,
        course: &course.reference,
        sections: sections.collect(),
        passed_before: reading.passed_before.clone(),
        refused: reading.refused.clone(),
        near_misses: &reading.scope.near_misses,
        on_main: reading.scope.on_main.as_ref(),
        skipped: &request.skipped,
        diff: &reading.diff,
        mode: if practice { Mode::Practice } else { Mode::Graded },
        page,
        upstream: &policy.upstream,
        merging: policy.merging,
        finished: (!practice && standing.finished()).then_some(Finished { page: progress }),
    };
    let seen = reading.passed_before.len() + reading.refused.len();
    let nothing = tasks.is_empty() && seen == 0 && reading.scope.near_misses.is_empty();
    let human = reading.tasks.iter().map(|(drawn, _)| &drawn.task).filter(|task| task.review == ReviewBy::Human);
    let mut grading = Grading {
        course: course.reference.clone(),
        passed_before: reading.passed_before.clone(),
        review: compose(&input),
        terminal: terminal::push_output(&input),
        practice,
        quiet: request.bot || (nothing && policy.untouched == Untouched::Status),
        human: human.map(|task| task.id.clone()).collect(),
        again_at,
        tasks,
    };
    if policy.verdicts == Verdicts::Decide {
        grading.review.event = event(&grading);
    }
    if grading.traits().human {
        grading.review.status =
            Status { state: StatusState::Pending, description: "Passed; a person reviews it next".to_owned() };
    }
    Ok(grading)
}

/// What a course that opted in tells the forge. Never an approval in place of a person's, never a decision on practice.
fn event(grading: &Grading) -> ReviewEvent {
    match () {
        () if grading.practice || grading.provisional() || grading.tasks.is_empty() => ReviewEvent::Comment,
        () if !grading.passed() => ReviewEvent::RequestChanges,
        () if grading.human.is_empty() => ReviewEvent::Approve,
        () => ReviewEvent::Comment,
    }
}

/// Runs something on the job of one task of a head.
pub(super) fn with_job<T>(
    course: &OpenCourse,
    pull: &Pull,
    submission: &Submission,
    drawn: &Drawn,
    environs: Option<&Environs>,
    run: impl FnOnce(&Job<'_>) -> T,
) -> T {
    let dir = drawn.task.id.dir();
    // Without a merge base the learner started from nothing that we know: the published starter is the best guess.
    let base = submission.base.as_ref().map_or_else(|| drawn.starter.clone(), |base| base.below(&dir));
    // Not where the rules are a published workspace's.
    let has_hidden = course.course.tasks.get(&drawn.task.id).is_some_and(CourseTask::has_hidden);
    run(&Job {
        course: &course.reference,
        task: &drawn.task,
        values: &drawn.values,
        commit: Some(&pull.head),
        files: &submission.files.below(&dir),
        base: &base,
        hidden: has_hidden.then_some(&drawn.hidden),
        history: submission.history.as_ref(),
        environs,
        violations: &submission.violations,
    })
}

/// Where the learner stands with what was just graded counted in.
struct Standing<'a> {
    course: &'a OpenCourse,
    book: &'a Book,
    graded: &'a [GradedTask],
}

impl Standing<'_> {
    /// In how many attempts each checkpoint was `fail`, this one counted.
    fn failures(&self, task: &TaskId, files: &TreeId, report: &Report) -> BTreeMap<CheckpointId, u32> {
        let mut failures = record(self.book, &self.course.course.id, task)
            .map(|record| record.failures_elsewhere(files))
            .unwrap_or_default();
        for result in &report.checkpoints {
            if result.outcome == crate::checkpoint::outcome::Outcome::Fail {
                *failures.entry(result.id.clone()).or_default() += 1;
            }
        }
        failures
    }

    fn now(&self, task: &TaskId) -> Option<&Report> {
        self.graded.iter().map(|graded| &graded.report).find(|report| report.task == *task)
    }

    fn score(&self, task: &TaskId) -> u32 {
        let before = record(self.book, &self.course.course.id, task).map_or(0, Record::score);
        before.max(self.now(task).map_or(0, |report| report.score))
    }

    fn passed(&self, task: &TaskId) -> bool {
        let now = self.now(task).is_some_and(|report| report.outcome == crate::checkpoint::outcome::Outcome::Pass);
        now || record(self.book, &self.course.course.id, task).is_some_and(Record::passed)
    }

    /// Every task of the course is passed.
    fn finished(&self) -> bool {
        self.course.tasks().all(|known| self.passed(&known.task.id))
    }

    fn domain(&self, task: &TaskId) -> Option<DomainScore> {
        let domain = &self.course.module(task)?.domain;
        let title = self.course.course.domains.iter().find(|known| known.id == *domain)?.title.clone();
        let of_domain = |task: &&crate::course::CourseTask| {
            self.course.module(&task.task.id).is_some_and(|module| module.domain == *domain)
        };
        let (mut score, mut points) = (0, 0);
        for task in self.course.tasks().filter(of_domain) {
            score += self.score(&task.task.id);
            points += task.task.points;
        }
        Some(DomainScore { title, score, points })
    }

    /// The first task after this one that is not passed, else the first one before it.
    fn next(&self, task: &TaskId) -> Option<NextTask> {
        let all: Vec<_> = self.course.tasks().map(|known| &known.task).collect();
        let here = all.iter().position(|known| known.id == *task)?;
        let (before, after) = all.split_at(here);
        let open = |known: &&&crate::course::task::Task| known.id != *task && !self.passed(&known.id);
        let next = after.iter().chain(before).find(open)?;
        Some(NextTask { id: next.id.clone(), title: next.title.clone() })
    }
}

/// Whether what upstream says of the task is no longer what the learner started from: its files and, where upstream is
/// here, its brief and the checkpoints that everybody may see. On a forge another version of ours may have published those,
/// in other words.
fn changed(course: &OpenCourse, submission: &Submission, task: &TaskId) -> bool {
    let (dir, texts) = (task.dir(), [brief_path(task), checkpoints_path(task)]);
    let now = &course.workspace;
    submission.base.as_ref().is_some_and(|base| {
        base.below(&dir) != now.below(&dir)
            || (course.published.is_some() && texts.iter().any(|path| base.get(path) != now.get(path)))
    })
}

pub(super) fn attempt(book: &Book, course: &CourseId, task: &TaskId, files: &TreeId) -> u32 {
    record(book, course, task).map_or(1, |record| count(record.attempt_number(files)))
}

pub(super) fn record<'a>(book: &'a Book, course: &CourseId, task: &TaskId) -> Option<&'a Record> {
    book.record(course, task)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
