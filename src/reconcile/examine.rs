//! Grading of one head: read it, find what it is about, judge each task, compose the review.
//!
//! Rubric, hints and hidden fixtures come from the course as it was loaded, never from the head (design §1, promise 4).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use git2::Repository;

use super::courses::{Courses, OpenCourse};
use super::grader::{GradeError, GradedTask, Grader, Grading, Objects, Request};
use super::live::{Begun, Live, Offers, Open, Slot, Stay, Undecided};
use super::policy::{LivePolicy, Policy, Untouched, Verdicts};
use super::turns::Turns;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::observed::Environs;
use crate::checkpoint::outcome::Outcome;
use crate::course::CourseTask;
use crate::course::diagnostic::Diagnostic;
use crate::course::draw::Drawn;
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::course::task::ReviewBy;
use crate::forge::pull::{Pull, PullNumber, Readiness};
use crate::grade::report::{CheckpointResult, Report};
use crate::grade::view::{Due, conceals, learner_view};
use crate::grade::{Job, grade, quarantine};
use crate::gradebook::book::{Book, Record};
use crate::review::input::{DomainScore, Mode, NextTask, ReviewInput, Section};
use crate::review::{ReviewEvent, Status, StatusState, compose, terminal};
use crate::sandbox::Sandbox;
use crate::store::observations::ObservationId;
use crate::store::time::{Clock, SystemClock};
use crate::store::{Store, StoreError};
use crate::submission::deadline::Deadline;
use crate::submission::diff::{self, DiffLines};
use crate::submission::scope::{Scope, scope, too_large};
use crate::submission::sha::TreeId;
use crate::submission::{Submission, heads, tree_id};

/// How long reading a head may take.
const READING: Duration = Duration::from_secs(30);

/// Where the page of a pull request is.
pub type PageOf = Arc<dyn Fn(PullNumber) -> String + Send + Sync>;

/// The real grader.
pub struct Examiner {
    courses: Arc<Courses>,
    sandbox: Sandbox,
    store: Store,
    page: Option<PageOf>,
    policy: LivePolicy,
    refused: BTreeSet<TaskId>,
    turns: Turns,
    live: Option<Slot>,
}

/// What was seen in the environments of a head's tasks, each with what it is kept under.
type Sights = BTreeMap<TaskId, (Environs, Option<ObservationId>)>;

impl Examiner {
    /// Grades with these courses; earlier attempts' reports are looked up in the store. `page` is where a pull request
    /// has a page of ours.
    pub fn new(
        courses: Arc<Courses>,
        sandbox: Sandbox,
        store: Store,
        page: Option<PageOf>,
        policy: LivePolicy,
    ) -> Self {
        let turns = Turns::new(usize::MAX);
        Self { courses, sandbox, store, page, policy, refused: BTreeSet::new(), turns, live: None }
    }

    /// Uses processors only when it is its turn.
    pub fn in_turn(self, turns: Turns) -> Self {
        Self { turns, ..self }
    }

    /// Judges live checkpoints in these environments.
    pub fn looking_at(self, live: Option<Slot>) -> Self {
        Self { live, ..self }
    }

    /// Grades all but these tasks, which may not be graded in this place.
    pub fn refusing(self, refused: BTreeSet<TaskId>) -> Self {
        Self { refused, ..self }
    }
}

/// What judging needs besides data.
#[derive(Clone, Copy)]
struct Ground<'a> {
    sandbox: &'a Sandbox,
    page: Option<&'a str>,
    policy: &'a Policy,
}

/// What a head is about, before anything is judged.
struct Reading {
    submission: Submission,
    scope: Scope,
    diff: DiffLines,
    /// Tasks to judge, each with its drawn form and the hash of its files.
    tasks: Vec<(Arc<Drawn>, TreeId)>,
    passed_before: Vec<TaskId>,
    refused: Vec<TaskId>,
}

impl Grader for Examiner {
    async fn grade(&self, request: Request) -> Result<Grading, GradeError> {
        let course = self
            .course(&request.pull.course)
            .ok_or_else(|| GradeError::from(format!("the course `{}` is not served any more", request.pull.course)))?;
        let request = Arc::new(request);
        let repository = match &request.objects {
            Objects::Here(repository) => repository.clone(),
            Objects::TooLarge => return Ok(self.unread(&course, &request)),
        };
        let reading = {
            let _turn = self.turns.take().await;
            let (course, request, repository) = (course.clone(), request.clone(), repository.clone());
            let refused = self.refused.clone();
            Arc::new(blocking(move || read(&course, &request, &repository, &refused)).await?)
        };
        let sights = match &self.live {
            _ if !request.recorded.is_empty() => self.recorded(&request).await?,
            Some(slot) => match slot.get() {
                Some(live) => self.look(live, &course, &request, &reading, &repository).await?,
                None => not_ready(&reading),
            },
            None => Sights::new(),
        };
        let mut previous = BTreeMap::new();
        for (drawn, files) in &reading.tasks {
            let attempt = attempt(&request.book, &course.course.id, &drawn.task.id, files);
            if let Some(before) = attempt.checked_sub(1).filter(|before| *before > 0) {
                let (learner, task) = (request.pull.learner(), &drawn.task.id);
                if let Some(report) = self.store.report(learner, &course.course.id, task, before).await? {
                    previous.insert(task.clone(), learner_view(&report, &drawn.task, Due::Open));
                }
            }
        }
        let (sandbox, policy) = (self.sandbox.clone(), self.policy.get());
        let page = self.page.as_ref().map(|page| page(request.pull.number));
        let _turn = self.turns.take().await;
        blocking(move || {
            let ground = Ground { sandbox: &sandbox, page: page.as_deref(), policy: &policy };
            judge(&course, &request, &reading, &previous, &sights, &ground)
        })
        .await
    }

    fn course(&self, id: &CourseId) -> Option<Arc<OpenCourse>> {
        self.courses.get(id).cloned()
    }
}

impl Examiner {
    /// Offers the head to the environments of its tasks and looks at them, at all of them at the same time.
    async fn look(
        &self,
        live: &Live,
        course: &Arc<OpenCourse>,
        request: &Arc<Request>,
        reading: &Arc<Reading>,
        repository: &Path,
    ) -> Result<Sights, GradeError> {
        let (mut sights, mut offered) = (Sights::new(), Vec::new());
        for (drawn, _) in &reading.tasks {
            if !drawn.task.checkpoints.iter().any(Checkpoint::is_live) {
                continue;
            }
            let stay = Stay {
                pull: request.pull.clone(),
                pushed_at: request.pushed_at,
                objects: repository.to_owned(),
                task: drawn.task.clone(),
                hidden: drawn.hidden.clone(),
            };
            match live.begin(stay).await? {
                Begun::Offered(one) => offered.push((drawn.clone(), one)),
                Begun::Settled(environs) => drop(sights.insert(drawn.task.id.clone(), (environs, None))),
            }
        }
        let offers = if offered.is_empty() { Offers::None } else { Offers::Some };
        live.offered_all(request.pull.number, offers).await?;
        let looks = offered.iter().map(|(drawn, offered)| async move {
            let undecided = self.undecided(course, request, reading, drawn);
            let waiting = undecided(&Environs::Absent(String::new()));
            let environs = match waiting.is_empty() {
                // Whatever is seen, something else of the commit stands in the way.
                true => Environs::Absent("it was not looked at".to_owned()),
                false => live.observe(offered, &undecided).await?,
            };
            let id = self.store.keep(&environs, SystemClock.now()).await?;
            Ok::<_, StoreError>((drawn.task.id.clone(), (environs, Some(id))))
        });
        for look in join_all(looks).await {
            let (task, seen) = look?;
            sights.insert(task, seen);
        }
        Ok(sights)
    }

    /// What was seen before. What is not kept any more cannot be judged again.
    async fn recorded(&self, request: &Request) -> Result<Sights, GradeError> {
        let mut sights = Sights::new();
        for (task, id) in &request.recorded {
            let gone = || Environs::Absent("what was seen in the environment is not kept any more".to_owned());
            let environs = self.store.kept(id).await?.unwrap_or_else(gone);
            sights.insert(task.clone(), (environs, Some(id.clone())));
        }
        Ok(sights)
    }

    /// Judges what was seen so far: the live checkpoints that nothing decides yet.
    fn undecided(
        &self,
        course: &Arc<OpenCourse>,
        request: &Arc<Request>,
        reading: &Arc<Reading>,
        drawn: &Arc<Drawn>,
    ) -> Undecided {
        let (course, request, reading, drawn) = (course.clone(), request.clone(), reading.clone(), drawn.clone());
        let sandbox = self.sandbox.clone();
        Arc::new(move |environs| {
            let report = report(&course, &request.pull, &reading.submission, &drawn, Some(environs), &sandbox);
            let open = |c: &Checkpoint| {
                let result = report.checkpoints.iter().find(|result| result.id == c.id)?;
                // Absent: what is not blocked by the files may be decided by looking.
                let open = match environs {
                    Environs::Absent(_) => result.outcome != Outcome::Blocked,
                    Environs::Shut(_) | Environs::Seen(_) => result.outcome == Outcome::Inconclusive,
                };
                let decided = result.cases.map_or(0, |(decided, _)| decided);
                open.then(|| Open { checkpoint: c.id.clone(), decided })
            };
            drawn.task.checkpoints.iter().filter(|checkpoint| checkpoint.is_live()).filter_map(open).collect()
        })
    }

    /// Says why a head was not read, and what to do.
    fn unread(&self, course: &OpenCourse, request: &Request) -> Grading {
        let misses = [too_large(request.pull.branch.as_str())];
        let practice = request.pull.readiness == Readiness::Draft;
        let (page, policy) = (self.page.as_ref().map(|page| page(request.pull.number)), self.policy.get());
        let input = ReviewInput {
            head: &request.pull.head,
            course: &course.reference,
            sections: Vec::new(),
            passed_before: Vec::new(),
            refused: Vec::new(),
            near_misses: &misses,
            skipped: &request.skipped,
            diff: &DiffLines::default(),
            mode: if practice { Mode::Practice } else { Mode::Graded },
            page: page.as_deref(),
            upstream: &policy.upstream,
            merging: policy.merging,
        };
        Grading {
            course: course.reference.clone(),
            tasks: Vec::new(),
            passed_before: Vec::new(),
            review: compose(&input),
            terminal: terminal::push_output(&input),
            practice,
            quiet: request.bot,
            human: Vec::new(),
            again_at: None,
        }
    }
}

fn read(
    course: &OpenCourse,
    request: &Request,
    repository: &Path,
    refused: &BTreeSet<TaskId>,
) -> Result<Reading, GradeError> {
    let Pull { head, base, branch, .. } = &request.pull;
    let learner = request.pull.learner();
    let deadline = Deadline::after(READING);
    let repository = Repository::open_bare(repository)?;
    let base =
        base.as_ref().or(course.main.as_ref()).ok_or("the forge does not say what this pull request is based on")?;
    let submission = heads::read_against(&repository, head, base, course.published.as_ref(), deadline)?;
    let merge_base = submission.history.as_ref().and_then(|history| history.merge_base.clone());
    let diff = diff::read(&repository, merge_base.as_ref(), head, deadline)?.lines();
    let scope = scope(&course.known, &submission, Some(branch.as_str()));
    let (mut tasks, mut passed_before) = (Vec::new(), Vec::new());
    let (refused, graded): (Vec<_>, Vec<_>) = scope.tasks.iter().cloned().partition(|id| refused.contains(id));
    for id in &graded {
        let files = tree_id(&submission.files.below(&dir(id)));
        if record(&request.book, &course.course.id, id).is_some_and(|record| record.passed_before(&files, head)) {
            passed_before.push(id.clone());
            continue;
        }
        let drawn = course.draw(learner, id).ok_or_else(|| format!("the course has no task `{id}`"))?;
        let drawn = drawn.map_err(|problems| {
            // Places only: a message may quote what is hidden, and in GitHub Actions everybody reads the log.
            let places: Vec<String> = problems.iter().map(place).collect();
            format!(
                "the task `{id}` cannot be drawn for `{learner}`: `gradus lint` says why, see {}",
                places.join(", ")
            )
        })?;
        tasks.push((drawn, files));
    }
    Ok(Reading { submission, scope, diff, tasks, passed_before, refused })
}

/// Why live checkpoints were judged on the files, where they were.
fn on_files<'a>(sights: &'a Sights, drawn: &Drawn, report: &Report) -> Option<&'a str> {
    let Some((Environs::Absent(why), _)) = sights.get(&drawn.task.id) else { return None };
    let live = |id: &CheckpointId| drawn.task.checkpoints.iter().any(|known| known.id == *id && known.is_live());
    let judged =
        |result: &CheckpointResult| live(&result.id) && matches!(result.outcome, Outcome::Pass | Outcome::Fail);
    report.checkpoints.iter().any(judged).then_some(why.as_str())
}

/// Environments are to come.
fn not_ready(reading: &Reading) -> Sights {
    let why = "the environments are not ready yet, comment `/regrade` in some minutes";
    let live = reading.tasks.iter().filter(|(drawn, _)| drawn.task.environment.is_some());
    live.map(|(drawn, _)| (drawn.task.id.clone(), (Environs::Absent(why.to_owned()), None))).collect()
}

fn place(problem: &Diagnostic) -> String {
    format!("{}:{}", problem.file(), problem.place.line.unwrap_or(1))
}

fn judge(
    course: &OpenCourse,
    request: &Request,
    reading: &Reading,
    previous: &BTreeMap<TaskId, Report>,
    sights: &Sights,
    ground: &Ground<'_>,
) -> Result<Grading, GradeError> {
    let Ground { sandbox, page, policy } = *ground;
    let practice = request.pull.readiness == Readiness::Draft;
    let (mut tasks, mut again_at) = (Vec::new(), None);
    let mut views = Vec::new();
    for (drawn, files) in &reading.tasks {
        if request.cancelled.yes() {
            return Err("the head moved on".into());
        }
        let (environs, observed) =
            sights.get(&drawn.task.id).map_or((None, None), |(seen, id)| (Some(seen), id.clone()));
        let judged = report(course, &request.pull, &reading.submission, drawn, environs, sandbox);
        let (report, ends) = quarantine::apply(judged, &request.quarantines);
        again_at = again_at.into_iter().chain(ends).min();
        views.push(learner_view(&report, &drawn.task, Due::Open));
        let attempt = attempt(&request.book, &course.course.id, &drawn.task.id, files);
        tasks.push(GradedTask { files: files.clone(), attempt, report, observed });
    }
    let standing = Standing { course, book: &request.book, graded: &tasks };
    let sections = reading.tasks.iter().zip(&tasks).zip(&views).map(|(((drawn, files), graded), view)| Section {
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
        on_files: on_files(sights, drawn, &graded.report),
    });
    let input = ReviewInput {
        head: &request.pull.head,
        course: &course.reference,
        sections: sections.collect(),
        passed_before: reading.passed_before.clone(),
        refused: reading.refused.clone(),
        near_misses: &reading.scope.near_misses,
        skipped: &request.skipped,
        diff: &reading.diff,
        mode: if practice { Mode::Practice } else { Mode::Graded },
        page,
        upstream: &policy.upstream,
        merging: policy.merging,
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

fn report(
    course: &OpenCourse,
    pull: &Pull,
    submission: &Submission,
    drawn: &Drawn,
    environs: Option<&Environs>,
    sandbox: &Sandbox,
) -> Report {
    let dir = dir(&drawn.task.id);
    // Without a merge base the learner started from nothing that we know: the published starter is the best guess.
    let base = submission.base.as_ref().map_or_else(|| drawn.starter.clone(), |base| base.below(&dir));
    // Not where the rules are a published workspace's.
    let has_hidden = course.course.tasks.get(&drawn.task.id).is_some_and(CourseTask::has_hidden);
    grade(
        &Job {
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
        },
        sandbox,
    )
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

/// Whether upstream's files of the task are no longer those that the learner started from.
fn changed(course: &OpenCourse, submission: &Submission, task: &TaskId) -> bool {
    let dir = dir(task);
    submission.base.as_ref().is_some_and(|base| base.below(&dir) != course.workspace.below(&dir))
}

fn attempt(book: &Book, course: &CourseId, task: &TaskId, files: &TreeId) -> u32 {
    record(book, course, task).map_or(1, |record| count(record.attempt_number(files)))
}

fn record<'a>(book: &'a Book, course: &CourseId, task: &TaskId) -> Option<&'a Record> {
    book.record(course, task)
}

fn dir(task: &TaskId) -> String {
    format!("tasks/{task}")
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GradeError> + Send + 'static,
) -> Result<T, GradeError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
