//! Graded heads of a daemon's data directory, judged again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::Repository;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Failure;
use crate::course::diagnostic::nearest;
use crate::course::id::{CourseId, TaskId};
use crate::course::locate::load_dir;
use crate::forge::pull::{Branch, Login, Pull, PullKey, PullState, Readiness, User, UserKind, Workspace};
use crate::gradebook::Gradebook;
use crate::reconcile::cancel::Cancelled;
use crate::reconcile::courses::{Courses, OpenCourse};
use crate::reconcile::examine::Examiner;
use crate::reconcile::grader::{Grader, Grading, Objects, Request};
use crate::reconcile::policy::{LivePolicy, Policy};
use crate::reconcile::regrade::Regraded;
use crate::sandbox::{Launcher, Limits, Sandbox, Strictness};
use crate::store::Store;
use crate::store::pulls::Known;
use crate::submission::sha::CommitId;

/// The workspace of `gradus up`.
const LOCAL: &str = "local";

/// What heads are judged with.
pub struct Ground {
    data: PathBuf,
    courses: Arc<Courses>,
    store: Store,
    gradebook: Arc<Gradebook>,
}

/// What came of all heads.
pub struct Found {
    /// Judged again.
    pub regraded: Vec<Regraded>,
    /// Not judged: which, and why.
    pub left_out: Vec<String>,
}

impl Ground {
    /// Loads the courses; publishes nothing.
    pub fn open(data: &Path, courses: &[PathBuf], store: Store, gradebook: Arc<Gradebook>) -> Result<Self, Failure> {
        let mut open = Courses::new();
        for dir in courses {
            let course = OpenCourse::on_forge(load_dir(dir)?.course, "")?;
            open.insert(course.course.id.clone(), Arc::new(course));
        }
        Ok(Self { data: data.to_owned(), courses: Arc::new(open), store, gradebook })
    }

    /// Whether a course is among those given.
    pub fn serves(&self, course: &CourseId) -> bool {
        self.courses.contains_key(course)
    }

    /// Judges the head of each open pull request again.
    pub async fn regrade(&self, task: Option<&TaskId>, learner: Option<&str>) -> Result<Found, Failure> {
        let known = || self.courses.values().flat_map(|course| course.tasks()).map(|task| &task.task.id);
        if let Some(task) = task.filter(|task| !known().any(|known| known == *task)) {
            let near = nearest(task.as_str(), known().map(TaskId::as_str));
            let near = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("no course given has a task `{task}`{near}").into());
        }
        let workspaces = self.store.workspaces().await?;
        // One's own files on one's own machine, or somebody else's.
        let strictness =
            if workspaces.iter().all(|ws| ws.0 == LOCAL) { Strictness::BestEffort } else { Strictness::Required };
        let launcher = Launcher::new(std::env::current_exe()?, strictness, Limits::default());
        if let Some(gap) = launcher.check()?.gap() {
            eprintln!("note: {gap}");
        }
        let policy = LivePolicy::new(Policy::local());
        let examiner =
            Arc::new(Examiner::new(self.courses.clone(), Sandbox::Child(launcher), self.store.clone(), None, policy));
        let room = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));
        let (mut work, mut left_out) = (JoinSet::new(), Vec::new());
        for workspace in workspaces {
            for known in self.store.known(&workspace).await? {
                if known.state != PullState::Open {
                    continue;
                }
                let key = PullKey { workspace: workspace.clone(), number: known.number };
                let Some((request, before, first_at)) = self.request(&key, &known, task, learner).await? else {
                    continue;
                };
                let request = match request {
                    Ok(request) => request,
                    Err(why) => {
                        left_out.push(format!("{key}: {why}"));
                        continue;
                    }
                };
                let (examiner, room) = (examiner.clone(), room.clone());
                work.spawn(async move {
                    let _turn = room.acquire().await;
                    let (learner, head) = (request.pull.learner().clone(), request.pull.head.clone());
                    match examiner.grade(request).await {
                        Ok(after) => Ok(Regraded { key, learner, head, first_at, before, after }),
                        Err(error) => Err(format!("{key}: {error}")),
                    }
                });
            }
        }
        let mut regraded = Vec::new();
        while let Some(done) = work.join_next().await {
            match done? {
                Ok(one) => regraded.push(one),
                Err(why) => left_out.push(why),
            }
        }
        left_out.sort();
        Ok(Found { regraded, left_out })
    }

    /// What to judge, with how it was judged and when; none when it is not asked for or was never judged.
    #[allow(clippy::type_complexity, reason = "one caller, right above")]
    async fn request(
        &self,
        key: &PullKey,
        known: &Known,
        task: Option<&TaskId>,
        learner: Option<&str>,
    ) -> Result<Option<(Result<Request, String>, Grading, crate::store::time::Time)>, Failure> {
        let Some(state) = self.store.grading_state(key, &known.head).await? else { return Ok(None) };
        let Some(before) = self.store.grading::<Grading>(key, &known.head).await? else { return Ok(None) };
        let id: crate::course::id::Learner = known.lane.parse()?;
        let book = self.gradebook.book(&id)?;
        let login = book.login().cloned().unwrap_or_else(|| Login(id.to_string()));
        let wanted = learner.is_none_or(|name| name == id.as_str() || login.0.eq_ignore_ascii_case(name));
        let about = task.is_none_or(|task| before.tasks.iter().any(|graded| graded.report.task == *task));
        if !wanted || !about || before.tasks.is_empty() {
            return Ok(None);
        }
        let course = before.course.id.clone();
        let pull = |base: CommitId| Pull {
            number: key.number,
            author: User { id: id.clone(), login: login.clone(), kind: UserKind::Person },
            course: course.clone(),
            // Only near misses are looked for by it, and what was graded was found.
            branch: Branch::shown("work"),
            head: known.head.clone(),
            base: Some(base),
            state: PullState::Open,
            readiness: if before.practice { Readiness::Draft } else { Readiness::Ready },
            labels: Default::default(),
            opened_at: Default::default(),
            updated_at: known.updated_at,
        };
        let request = match self.place(&key.workspace, &id, &course) {
            _ if !self.serves(&course) => Err(format!("the course `{course}` is not given: `--course DIR`")),
            Ok((repository, base)) => {
                let (skipped, cancelled) = (Vec::new(), Cancelled::default());
                let (pull, bot) = (pull(base), before.quiet);
                // As it will be once every checkpoint is trusted again: who would lose then is to be seen now.
                let quarantines = Vec::new();
                let objects = Objects::Here(repository);
                let (pushed_at, recorded) = (known.updated_at, before.recorded());
                Ok(Request { pull, objects, pushed_at, skipped, book, quarantines, bot, recorded, cancelled })
            }
            Err(error) => Err(format!("its commits are not here: {}", error.message())),
        };
        // Not when it was graded last: an older head may have been graded again since.
        Ok(Some((request, before, state.first_at)))
    }

    /// The repository that holds the head, and the newest base.
    fn place(
        &self,
        workspace: &Workspace,
        learner: &crate::course::id::Learner,
        course: &CourseId,
    ) -> Result<(PathBuf, CommitId), git2::Error> {
        let (repository, base, of) = if workspace.0 == LOCAL {
            let fork = self.data.join("forks").join(learner.as_str()).join(format!("{course}.git"));
            let upstream = self.data.join("upstream").join(format!("{course}.git"));
            (fork, upstream, "refs/heads/main")
        } else {
            let mirror = crate::server::serve::data::mirror(&self.data, workspace);
            (mirror.clone(), mirror, crate::forge::mirror::BASE)
        };
        let base = Repository::open_bare(base)?.refname_to_id(of)?;
        Ok((repository, base.into()))
    }
}
