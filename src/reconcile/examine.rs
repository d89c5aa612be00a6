//! Grading of one head: read it, find what it is about, have it run and looked at, and have all of it judged (`judge`).
//!
//! Rubric, hints and hidden fixtures come from the course as it was loaded, never from the head (design §1, promise 4).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use git2::Repository;

use super::courses::{Courses, OpenCourse};
use super::grader::{GradeError, Grader, Grading, Objects, Request};
use super::judge::{Ground, Reading, Sights, attempt, judge, record, with_job};
use super::live::{Begun, Live, Offers, Open, Slot, Stay, Undecided};
use super::policy::LivePolicy;
use super::turns::Turns;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::observed::Environs;
use crate::checkpoint::outcome::Outcome;
use crate::course::diagnostic::Diagnostic;
use crate::course::draw::Drawn;
use crate::course::id::{CourseId, TaskId};
use crate::forge::pull::{Pull, PullNumber, Readiness};
use crate::grade::grade;
use crate::grade::view::{Due, learner_view};
use crate::review::input::{Mode, ReviewInput};
use crate::review::{compose, terminal};
use crate::sandbox::Sandbox;
use crate::store::time::{Clock, SystemClock};
use crate::store::{Store, StoreError};
use crate::submission::deadline::Deadline;
use crate::submission::diff::{self, DiffLines};
use crate::submission::scope::{scope, too_large};
use crate::submission::upstream::Upstream;
use crate::submission::{heads, tree_id};

/// How long reading a head may take.
const READING: Duration = Duration::from_secs(30);

/// Where pages of ours are.
#[derive(Debug, Clone)]
pub struct Pages {
    /// What all addresses begin with, without a slash at its end.
    pub address: String,
}

impl Pages {
    fn of_pull(&self, number: PullNumber) -> String {
        format!("{}/pulls/{number}", self.address)
    }

    fn of_course(&self, course: &CourseId) -> String {
        format!("{}/courses/{course}", self.address)
    }
}

/// The real grader.
pub struct Examiner {
    courses: Arc<Courses>,
    sandbox: Sandbox,
    store: Store,
    pages: Option<Pages>,
    policy: LivePolicy,
    refused: BTreeSet<TaskId>,
    turns: Turns,
    live: Option<Slot>,
}

impl Examiner {
    /// Grades with these courses; earlier attempts' reports are looked up in the store. `pages` is where we show
    /// pull requests and courses, if we do.
    pub fn new(
        courses: Arc<Courses>,
        sandbox: Sandbox,
        store: Store,
        pages: Option<Pages>,
        policy: LivePolicy,
    ) -> Self {
        let turns = Turns::new(usize::MAX);
        Self { courses, sandbox, store, pages, policy, refused: BTreeSet::new(), turns, live: None }
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
            let upstream = self.policy.get().upstream.clone();
            Arc::new(blocking(move || read(&course, &request, &repository, &refused, &upstream)).await?)
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
        let page = self.pages.as_ref().map(|pages| pages.of_pull(request.pull.number));
        let progress = self.pages.as_ref().map(|pages| pages.of_course(&course.course.id));
        let _turn = self.turns.take().await;
        blocking(move || {
            let ground =
                Ground { sandbox: &sandbox, page: page.as_deref(), progress: progress.as_deref(), policy: &policy };
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
            let (pull, submission) = (&request.pull, &reading.submission);
            let report = with_job(&course, pull, submission, &drawn, Some(environs), |job| grade(job, &sandbox));
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
        let practice = request.pull.readiness == Readiness::Draft;
        let (page, policy) = (self.pages.as_ref().map(|pages| pages.of_pull(request.pull.number)), self.policy.get());
        let misses = [too_large(request.pull.branch.as_str(), &policy.upstream)];
        let input = ReviewInput {
            head: &request.pull.head,
            course: &course.reference,
            sections: Vec::new(),
            passed_before: Vec::new(),
            refused: Vec::new(),
            near_misses: &misses,
            on_main: None,
            skipped: &request.skipped,
            diff: &DiffLines::default(),
            mode: if practice { Mode::Practice } else { Mode::Graded },
            page: page.as_deref(),
            upstream: &policy.upstream,
            merging: policy.merging,
            finished: None,
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
    upstream: &Upstream,
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
    let scope = scope(&course.known, &submission, Some(branch.as_str()), upstream);
    let (mut tasks, mut passed_before) = (Vec::new(), Vec::new());
    let (refused, graded): (Vec<_>, Vec<_>) = scope.tasks.iter().cloned().partition(|id| refused.contains(id));
    for id in &graded {
        let files = tree_id(&submission.files.below(&id.dir()));
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

/// Environments are to come.
fn not_ready(reading: &Reading) -> Sights {
    let why = "the environments are not ready yet, comment `/regrade` in some minutes";
    let live = reading.tasks.iter().filter(|(drawn, _)| drawn.task.environment.is_some());
    live.map(|(drawn, _)| (drawn.task.id.clone(), (Environs::Absent(why.to_owned()), None))).collect()
}

fn place(problem: &Diagnostic) -> String {
    format!("{}:{}", problem.file(), problem.place.line.unwrap_or(1))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GradeError> + Send + 'static,
) -> Result<T, GradeError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
